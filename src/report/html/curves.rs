//! Learning curves: every seed thin, their mean thick.

use maud::{Markup, html};

use super::chart::{Chart, Charts, Line, rounded, thinned};
use super::variant_name;
use crate::error::Result;
use crate::record::{Cell, Column, EPOCH_COLUMNS, EpochRow, Status};
use crate::report::statistics::spread;
use crate::report::view::{MOST_VARIANTS, View};

/// Points of a line, and seeds of a variant.
const MOST_POINTS: usize = 150;
const MOST_SEEDS: usize = 10;

/// Rows of the table behind a chart.
const MOST_ROWS: usize = 12;

/// The epochs of a variant's runs.
struct Variant<'a> {
    name: &'a str,
    runs: Vec<Run>,
    /// Seeds that are not drawn, and not in the mean.
    more_seeds: usize,
}

struct Run {
    rows: Vec<EpochRow>,
    /// Others have no part in the mean.
    is_done: bool,
}

/// A chart for each metric of training, validation and, where it has a curve, test images.
///
/// # Errors
/// The epochs of a run cannot be read.
pub fn section(view: &View, charts: &mut Charts) -> Result<Markup> {
    let chosen = view.chosen(MOST_VARIANTS);
    let mut variants = Vec::new();
    let mut in_steps = false;
    for group in chosen {
        let mut runs = Vec::new();
        let mut more_seeds = 0;
        for (row, folder) in view.subject.runs_of(group.variant) {
            if runs.len() == MOST_SEEDS {
                more_seeds += 1;
                continue;
            }
            let rows = folder.checked_epochs()?;
            if !rows.is_empty() && row.status != Status::Unfinished {
                let is_done = row.status == Status::Done;
                runs.push(Run { rows, is_done });
            }
        }
        let settings = view.subject.settings(group.variant)?;
        in_steps |= settings.is_some_and(|settings| settings.pointer("/train/steps").is_some());
        variants.push(Variant {
            name: group.variant,
            runs,
            more_seeds,
        });
    }
    let measured: Vec<&Column<EpochRow>> = EPOCH_COLUMNS
        .iter()
        .filter(|column| {
            column.split.is_some() && variants.iter().any(|variant| variant.has(column))
        })
        .collect();
    if measured.is_empty() {
        return Ok(html! {});
    }
    let thinned_seeds = variants.iter().any(|variant| variant.more_seeds > 0);
    let figures: Vec<Markup> = measured
        .iter()
        .map(|column| figure(&variants, column, in_steps, charts))
        .collect();
    Ok(html! {
        section aria-labelledby="curves" {
            h2 id="curves" { "Learning curves" }
            p { "Every seed is a thin line, the mean over the seeds a thick one. Point at a chart for its values, or focus it and "
                "press the arrow keys." }
            @if let Some(text) = view.left_out(MOST_VARIANTS) { p.quiet { (text) } }
            @if thinned_seeds { p.quiet { "Of a variant with more, the first " (MOST_SEEDS) " seeds are drawn." } }
            fieldset {
                legend { "Variants" }
                @for (number, variant) in variants.iter().enumerate() {
                    label {
                        input type="checkbox" checked data-variant=(variant.name);
                        span class={ "swatch s" (number) " " (if is_dashed(number) { "dashed" } else { "" }) } {}
                        (variant.name)
                    }
                }
            }
            div.figures { @for figure in figures { (figure) } }
        }
    })
}

/// Neighbors in the palette differ by more than color.
fn is_dashed(number: usize) -> bool {
    number % 2 == 1
}

fn figure(
    variants: &[Variant],
    column: &Column<EpochRow>,
    in_steps: bool,
    charts: &mut Charts,
) -> Markup {
    let decimals = column.metric.map_or(4, |metric| metric.decimals);
    let lines = variants
        .iter()
        .enumerate()
        .filter(|(_, variant)| variant.has(column));
    let lines: Vec<Line> = lines
        .map(|(number, variant)| variant.line(number, column, in_steps))
        .collect();
    let x_name = if in_steps { "step" } else { "epoch" };
    let names: Vec<&str> = lines.iter().map(|line| &*line.name).collect();
    let description = format!("Chart of {} by {x_name}: {}", column.name, names.join(", "));
    let numbers = table(&lines, &column.name, x_name, decimals);
    let title = html! { (column.name) " " span.quiet { (column.doc) } };
    let chart = Chart::Curves {
        x_name: x_name.to_string(),
        categories: None,
        log: false,
        decimals,
        lines,
    };
    charts.place(chart, &title, &description, &numbers)
}

impl Variant<'_> {
    fn has(&self, column: &Column<EpochRow>) -> bool {
        let mut rows = self.runs.iter().flat_map(|run| &run.rows);
        rows.any(|row| column.cell(row) != Cell::Missing)
    }

    fn line(&self, color: usize, column: &Column<EpochRow>, in_steps: bool) -> Line {
        let longest = self.runs.iter().max_by_key(|run| run.rows.len());
        let rows: &[EpochRow] = longest.map_or(&[], |run| &run.rows);
        let points = thinned(rows.len(), MOST_POINTS);
        let value = |run: &Run, point: usize| {
            let number = run
                .rows
                .get(point)
                .and_then(|row| column.cell(row).number());
            number.filter(|number| number.is_finite())
        };
        let mean = |&point: &usize| {
            let done = self.runs.iter().filter(|run| run.is_done);
            let values: Option<Vec<f64>> = done.map(|run| value(run, point)).collect();
            Some(rounded(spread(&values?)?.mean))
        };
        let seed = |run| {
            points
                .iter()
                .map(|&point| value(run, point).map(rounded))
                .collect()
        };
        Line {
            name: self.name.to_string(),
            color,
            dashed: is_dashed(color),
            x: points.iter().map(|&point| if in_steps { rows[point].step } else { rows[point].epoch } as f64).collect(),
            mean: points.iter().map(mean).collect(),
            seeds: self.runs.iter().map(seed).collect(),
        }
    }
}

/// A row a point, at most [`MOST_ROWS`], and a column a line.
fn table(lines: &[Line], name: &str, x_name: &str, decimals: usize) -> Markup {
    let longest = lines.iter().max_by_key(|line| line.x.len());
    let x: &[f64] = longest.map_or(&[], |line| &line.x);
    let cell = |line: &Line, x: f64| {
        let at = line.x.iter().position(|other| *other == x)?;
        Some(format!("{:.decimals$}", line.mean[at]?))
    };
    html! {
        div.scroll role="region" tabindex="0" aria-label={ "Numbers of " (name) } {
            table {
                caption { "Mean over the seeds" }
                thead { tr {
                    th.number scope="col" { (x_name) }
                    @for line in lines { th.number scope="col" { (variant_name(&line.name)) } }
                } }
                tbody { @for at in thinned(x.len(), MOST_ROWS) { tr {
                    th.number scope="row" { (x[at]) }
                    @for line in lines { td.number { (cell(line, x[at]).unwrap_or("-".to_string())) } }
                } } }
            }
        }
    }
}
