//! What a command line says that is written for another program: how it is said here.

use clap::error::{ContextKind, ContextValue};

use crate::config::{SETTINGS, key_in_a_table};

/// Options of other programs, and what does the same here; the option that it is about, if it is about one.
const OPTIONS: &[(&[&str], &str, Option<&str>)] = &[
    (
        &["resume", "continue"],
        "the same command goes on with what is not done",
        Some("fresh"),
    ),
    (
        &["restart", "overwrite"],
        "`--fresh` starts over",
        Some("fresh"),
    ),
    (
        &["gpu", "gpus", "cuda"],
        "`--device cuda` takes all GPUs, `--device cuda:0` one",
        Some("device"),
    ),
    (
        &["workers", "n-jobs", "parallel", "num-workers"],
        "`--jobs N` says how many runs are trained at a time",
        Some("jobs"),
    ),
    (
        &[
            "output",
            "output-dir",
            "out",
            "save-dir",
            "logdir",
            "log-dir",
        ],
        "`--results DIR` says where results go",
        Some("results"),
    ),
    (
        &["filter", "variant", "variants", "select"],
        "`--only VARIANT` chooses, also by a pattern",
        Some("only"),
    ),
    (
        &["multirun"],
        "a file's `[grid]` and its variants are all run",
        None,
    ),
    (
        &["overrides", "override", "config"],
        "settings are changed with `--set KEY=VALUE`",
        Some("set"),
    ),
    (
        &["verbose", "debug"],
        "each run's folder has its log, `burnlab explain` shows every setting",
        None,
    ),
];

/// Commands of other programs, and what does the same here.
const COMMANDS: &[(&[&str], &str)] = &[
    (
        &["train", "fit", "start", "experiment"],
        "`burnlab run` trains what is not done",
    ),
    (
        &["validate", "lint", "verify"],
        "`burnlab check` finds what is wrong with files before anything runs",
    ),
    (
        &["test", "eval", "score"],
        "`burnlab evaluate` measures a trained run",
    ),
    (
        &["infer", "inference", "classify"],
        "`burnlab predict` says what a trained run makes of images",
    ),
    (
        &["init", "create"],
        "`burnlab new` writes an experiment file",
    ),
    (
        &["status", "ls"],
        "`burnlab list` tells of every experiment how far it is",
    ),
    (
        &["show", "config"],
        "`burnlab explain` shows every setting and where it comes from",
    ),
    (
        &["sweep", "tune", "optimize", "search", "hyperopt"],
        "a file's `[search]` or `[grid]` is run by `burnlab run`",
    ),
    (
        &["tensorboard"],
        "`tensorboard --logdir results/NAME/tensorboard` shows the curves",
    ),
    (
        &["clean", "remove"],
        "an experiment's results are the folder `results/NAME`",
    ),
    (&["resume"], "`burnlab run` goes on with what is not done"),
    (
        &["download"],
        "`burnlab data fetch NAME` downloads a dataset",
    ),
];

/// Puts what was probably meant in the place of what is merely spelt alike. `arguments` are those of the command line.
pub(super) fn suggest(answer: &mut clap::Error, all: &clap::Command, arguments: &[String]) {
    let of = |kind| match answer.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let first = arguments.iter().find(|argument| !argument.starts_with('-'));
    let command = first.and_then(|name| all.find_subcommand(name));
    let has = |option: &str| {
        let mut own = command.into_iter().flat_map(clap::Command::get_arguments);
        own.any(|argument| argument.get_long() == Some(option))
    };
    let argument = || of_argument(&of(ContextKind::InvalidArg)?, has);
    // Commands within commands have words of their own.
    let subcommand =
        || of_command(&of(ContextKind::InvalidSubcommand).filter(|name| Some(name) == first)?);
    let Some(tip) = argument().or_else(subcommand) else {
        return;
    };
    answer.remove(ContextKind::SuggestedArg);
    answer.remove(ContextKind::SuggestedSubcommand);
    let tips = ContextValue::StyledStrs(vec![tip.into()]);
    answer.insert(ContextKind::Suggested, tips);
}

fn of_command(name: &str) -> Option<String> {
    let found = COMMANDS.iter().find(|(words, _)| words.contains(&name));
    found.map(|(_, tip)| tip.to_string())
}

/// Where a setting goes that stands there as an argument, `train.epochs=3` or `--epochs`, and what an option is called here, if the
/// command `has` what does it.
fn of_argument(argument: &str, has: impl Fn(&str) -> bool) -> Option<String> {
    let Some(option) = argument.strip_prefix("--") else {
        let key = argument.split_once('=').map(|(key, _)| key)?;
        let is_setting = key.contains('.') && !key.starts_with('-');
        return is_setting.then(|| format!("settings are changed with `--set {argument}`"));
    };
    let option = option.split('=').next().unwrap_or_default();
    let named = OPTIONS.iter().find(|(words, ..)| words.contains(&option));
    if let Some((_, tip, about)) = named {
        return about.is_none_or(&has).then(|| tip.to_string());
    }
    let key = match option.contains('.') {
        true => option.to_string(),
        false => key_in_a_table(&option.replace('-', "_"), SETTINGS)?,
    };
    has("set").then(|| format!("settings are changed with `--set {key}=...`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_options_of_other_programs_are_known() {
        let set = |rest: &str| Some(format!("settings are changed with `--set {rest}`"));
        let of = |argument: &str| of_argument(argument, |_| true);
        assert_eq!(of("train.epochs=3"), set("train.epochs=3"));
        assert_eq!(of("--epochs"), set("train.epochs=..."));
        assert_eq!(of("--batch-size=5"), set("train.batch_size=..."));
        assert_eq!(of("--lr"), set("train.optimizer.NAME.learning_rate=..."));
        assert_eq!(of("--seed"), set("train.seeds=..."));
        assert_eq!(of("--train.epochs"), set("train.epochs=..."));
        assert!(of("--resume").unwrap().starts_with("the same command"));
        for unknown in ["photos", "a=b", "-e", "--frobnicate"] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
        // Not of commands that cannot do it.
        for option in ["--epochs", "--resume", "--workers", "--out"] {
            assert_eq!(of_argument(option, |_| false), None, "{option}");
        }
    }
}
