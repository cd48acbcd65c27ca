//! `burnlab reference`: all that files and commands may say, as one page of Markdown.
//!
//! Made of what the types say of themselves (the JSON schema, the columns) and of the command line, so that it cannot
//! disagree with them; a test holds the committed page to it.

mod schema;

use std::fmt::Write;

use clap::Command;
use schema::Types;

use super::documented;
use crate::config;
use crate::measure::RUN_COLUMNS;
use crate::record::EPOCH_COLUMNS;

const HEAD: &str = "# Reference

All that experiment files and commands may say: printed by `burnlab reference`, which makes it of the types that read
them. [README.md](../README.md) shows how it is used.

A thing that is chosen among several (a layer, an operation, an optimizer ...) is a table with its name as the only key,
`{ dropout = { rate = 0.5 } }`; where nothing need be said of it, its name alone, `\"dropout\"`. Fields in **bold** must be given.
";

/// Chapters, and the type that each begins with.
const CHAPTERS: &[(&str, &str)] = &[
    ("Data", "DataFields"),
    ("Augmentation", "Augment"),
    ("Model", "ModelSpec"),
    ("Layers", "Layer"),
    ("Start", "Start"),
    ("Training", "Train"),
    ("Search", "SearchFields"),
    ("Measures", "Measures"),
    ("Recording", "Recording"),
    ("Pictures", "Pictures"),
    ("Claims", "Expect"),
];

/// Width of the commands' help, in characters.
const WIDTH: usize = 100;

/// The page.
pub fn reference() -> String {
    let schema = config::schema();
    let mut types = Types::new(&schema, CHAPTERS);
    let mut page = HEAD.to_string();
    section(&mut page, "The file", &types.file());
    for (title, root) in CHAPTERS {
        section(&mut page, title, &types.chapter(root));
    }
    section(&mut page, "Columns", &columns());
    let defaults = format!(
        "What a file says nothing of:\n\n```toml\n{}\n```\n",
        config::DEFAULTS.trim()
    );
    section(&mut page, "Defaults", &defaults);
    section(&mut page, "Commands", &commands());
    page
}

fn section(page: &mut String, title: &str, text: &str) {
    let _ = write!(page, "\n## {title}\n\n{}\n", text.trim());
}

/// A table of Markdown; line ends and bars in cells are taken care of.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| {
        let cells = cells.iter().map(|cell| {
            let words: Vec<&str> = cell.split_whitespace().collect();
            words.join(" ").replace('|', "\\|")
        });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let head: Vec<String> = head.iter().map(|cell| cell.to_string()).collect();
    let rule = format!("|{}\n", " --- |".repeat(head.len()));
    let rows = rows.into_iter().map(|row| line(&row));
    [line(&head), rule].into_iter().chain(rows).collect()
}

fn columns() -> String {
    let row = |name: &str, doc: &str| vec![format!("`{name}`"), doc.to_string()];
    let head = ["column", "what it says"];
    let epochs = EPOCH_COLUMNS
        .iter()
        .map(|column| row(&column.name, &column.doc));
    let runs = RUN_COLUMNS
        .iter()
        .map(|column| row(&column.name, &column.doc));
    format!(
        "### `epochs.csv`\n\nA row an epoch.\n\n{}\n### `summary.csv`\n\nA row a run; swept keys have a column each besides.\n\n{}",
        table(&head, epochs),
        table(&head, runs)
    )
}

fn commands() -> String {
    let mut text = String::new();
    let program = documented().term_width(WIDTH).disable_help_subcommand(true);
    helps(program, &mut text);
    text
}

/// The help of a command and of all below it.
fn helps(mut command: Command, text: &mut String) {
    command.build();
    let name = command.get_bin_name().unwrap_or("burnlab").to_string();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim().lines().map(str::trim_end).collect();
    let _ = write!(
        text,
        "### `{name}`\n\n```text\n{}\n```\n\n",
        lines.join("\n")
    );
    for inner in command.get_subcommands() {
        if !inner.is_hide_set() && inner.get_name() != "help" {
            helps(inner.clone().term_width(WIDTH), text);
        }
    }
}
