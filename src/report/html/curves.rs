//! Learning curves: every seed thin, their mean thick.

use maud::{Markup, html};

use super::chart::{Chart, Charts, Line, rounded, thinned};
use super::{unit, variant_name};
use crate::error::Result;
use crate::record::{Cell, Column, EPOCH_COLUMNS, EpochRow, Metric, Status};
use crate::report::statistics::spread;
use crate::report::view::{MOST_VARIANTS, View};
use crate::table::fixed;

/// Points of a line, and seeds of a variant.
const MOST_POINTS: usize = 150;
const MOST_SEEDS: usize = 10;

/// Places of a variant in the table behind a chart.
const MOST_ROWS: usize = 12;

/// A variant's mean over its seeds, at every place of the longest run.
struct Curve<'a> {
    name: &'a str,
    /// The epoch, or the step.
    x: Vec<f64>,
    /// Where all seeds that are done have a number.
    mean: Vec<Option<f64>>,
}

/// The epochs of a variant's runs.
struct Variant<'a> {
    name: &'a str,
    runs: Vec<Run>,
    /// Seeds that are not drawn, and not in the mean.
    more_seeds: usize,
}

struct Run {
    rows: Vec<EpochRow>,
    /// Others have no part in the mean, unless none is done.
    is_done: bool,
}

/// A chart for each metric of training, validation and, where it has a curve, test images.
///
/// # Errors
/// The epochs of a run cannot be read.
pub fn section(view: &View, charts: &mut Charts) -> Result<Markup> {
    let mut chosen = view.chosen(MOST_VARIANTS);
    let room = MOST_VARIANTS - chosen.len();
    chosen.extend(view.given_up(room));
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
        in_steps |= view.subject.counts_steps(group.variant);
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
            @if let Some(text) = view.given_up_left_out(room) { p.quiet { (text) } }
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
    let shown: Vec<(usize, &Variant)> = variants
        .iter()
        .enumerate()
        .filter(|(_, variant)| variant.has(column))
        .collect();
    let curves: Vec<Curve> = shown
        .iter()
        .map(|(_, variant)| variant.curve(column, in_steps))
        .collect();
    let means = curves
        .iter()
        .flat_map(|curve| &curve.mean)
        .copied()
        .flatten();
    let decimals = column
        .metric
        .map_or(4, |metric| metric.decimals_of_all(means));
    let lines = shown
        .iter()
        .zip(&curves)
        .map(|((number, variant), curve)| variant.line(*number, column, curve, decimals));
    let lines: Vec<Line> = lines.collect();
    let x_name = unit(in_steps);
    let names: Vec<&str> = curves.iter().map(|curve| curve.name).collect();
    let description = format!("Chart of {} by {x_name}: {}", column.name, names.join(", "));
    let numbers = table(&curves, column, x_name);
    let title = html! { (column.name) " " span.quiet { (column.doc) } };
    let chart = Chart::Curves {
        x_name: x_name.to_string(),
        categories: None,
        log: false,
        share: column.metric.is_some_and(Metric::is_share),
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

    fn curve(&self, column: &Column<EpochRow>, in_steps: bool) -> Curve<'_> {
        let longest = self.runs.iter().max_by_key(|run| run.rows.len());
        let rows: &[EpochRow] = longest.map_or(&[], |run| &run.rows);
        let x = |row: &EpochRow| if in_steps { row.step } else { row.epoch } as f64;
        let is_any_done = self.runs.iter().any(|run| run.is_done);
        let counted = self.runs.iter();
        let counted: Vec<&Run> = counted.filter(|run| run.is_done || !is_any_done).collect();
        let mean = |place| {
            let values = counted.iter().map(|run| run.value(column, place));
            let values: Option<Vec<f64>> = values.collect();
            Some(spread(&values?)?.mean)
        };
        Curve {
            name: self.name,
            x: rows.iter().map(x).collect(),
            mean: (0..rows.len()).map(mean).collect(),
        }
    }

    /// What is drawn of the curve and of the seeds.
    fn line(
        &self,
        color: usize,
        column: &Column<EpochRow>,
        curve: &Curve,
        decimals: usize,
    ) -> Line {
        let places = thinned(curve.x.len(), MOST_POINTS);
        let drawn = |number| rounded(number, decimals);
        let seed = |run: &Run| {
            let values = places.iter().map(|&place| run.value(column, place));
            values.map(|value| value.map(drawn)).collect()
        };
        Line {
            name: self.name.to_string(),
            color,
            dashed: is_dashed(color),
            x: places.iter().map(|&place| curve.x[place]).collect(),
            mean: places
                .iter()
                .map(|&place| curve.mean[place].map(drawn))
                .collect(),
            seeds: self.runs.iter().map(seed).collect(),
        }
    }
}

impl Run {
    /// The number at a place of the run.
    fn value(&self, column: &Column<EpochRow>, place: usize) -> Option<f64> {
        let number = column.cell(self.rows.get(place)?).number();
        number.filter(|number| number.is_finite())
    }
}

impl Curve<'_> {
    /// Of the places with a mean, if there are some, at most [`MOST_ROWS`].
    fn rows(&self) -> Vec<f64> {
        let all = 0..self.x.len();
        let mut places: Vec<usize> = all.clone().filter(|&at| self.mean[at].is_some()).collect();
        if places.is_empty() {
            places = all.collect();
        }
        let kept = thinned(places.len(), MOST_ROWS).into_iter();
        kept.map(|kept| self.x[places[kept]]).collect()
    }
}

/// A row for every place that a variant is shown at, a column a variant.
fn table(curves: &[Curve], column: &Column<EpochRow>, x_name: &str) -> Markup {
    let name = &column.name;
    let mut rows: Vec<f64> = curves.iter().flat_map(Curve::rows).collect();
    rows.sort_by(f64::total_cmp);
    rows.dedup();
    let cell = |curve: &Curve, x: f64| {
        let at = curve.x.iter().position(|other| *other == x)?;
        let mean = curve.mean[at]?;
        Some(
            column
                .metric
                .map_or_else(|| fixed(mean, 4), |metric| metric.text(mean)),
        )
    };
    html! {
        div.scroll.long[rows.len() > 20] role="region" tabindex="0" aria-label={ "Numbers of " (name) } {
            table {
                caption { "Mean over the seeds" }
                thead { tr {
                    th.number scope="col" { (x_name) }
                    @for curve in curves { th.number scope="col" { (variant_name(curve.name)) } }
                } }
                tbody { @for x in rows { tr {
                    th.number scope="row" { (x) }
                    @for curve in curves { td.number { (cell(curve, x).unwrap_or("-".to_string())) } }
                } } }
            }
        }
    }
}
