//! Confusion matrices: the answers of all seeds of a variant together.

use maud::{Markup, html};

use crate::error::{count, thousands};
use crate::report::statistics::Group;
use crate::report::view::{MOST_VARIANTS, View};

/// Classes of a matrix; of more, the pairs are listed that are confused most.
const MOST_CLASSES: usize = 20;
const MOST_PAIRS: usize = 20;

/// The answers of a variant.
struct Answers<'a> {
    classes: &'a [String],
    /// `[truth][answer]`, over all seeds.
    counts: Vec<Vec<usize>>,
    seeds: usize,
}

/// A matrix a variant; nothing where no classifier was measured.
pub fn section(view: &View) -> Markup {
    let chosen = view.chosen(MOST_VARIANTS);
    let found: Vec<(&str, Answers)> = chosen
        .iter()
        .filter_map(|group| Some((group.variant, Answers::of(group)?)))
        .collect();
    if found.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="confusion" {
            h2 id="confusion" { "Confusion matrices" }
            p { "Test images of each class (rows) by answer (columns), summed over the seeds. The darker a cell, the larger its share of the row." }
            @if let Some(text) = view.left_out(MOST_VARIANTS) { p.quiet { (text) } }
            div.figures.confusions { @for (name, answers) in &found {
                div {
                    h3 { (name) }
                    @match answers.classes.len() > MOST_CLASSES {
                        true => (pairs(answers)),
                        false => (matrix(name, answers)),
                    }
                }
            } }
        }
    }
}

impl<'a> Answers<'a> {
    fn of(group: &Group<'a>) -> Option<Self> {
        let mut measured = group.rows.iter().filter_map(|row| row.measured.as_ref());
        let mut measured: Vec<_> = measured
            .by_ref()
            .filter(|measured| !measured.confusion.is_empty())
            .collect();
        let classes = measured.first()?.classes.as_slice();
        measured.retain(|measured| {
            let rows = &measured.confusion;
            measured.classes == classes
                && rows.len() == classes.len()
                && rows.iter().all(|row| row.len() == classes.len())
        });
        let mut counts = vec![vec![0; classes.len()]; classes.len()];
        for measured in &measured {
            for (sums, row) in counts.iter_mut().zip(&measured.confusion) {
                for (sum, count) in sums.iter_mut().zip(row) {
                    *sum += count;
                }
            }
        }
        Some(Answers {
            classes,
            counts,
            seeds: measured.len(),
        })
    }
}

fn matrix(name: &str, answers: &Answers) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label={ "Confusion matrix of " (name) } {
            table.confusion {
                caption { (count(answers.seeds, "seed")) }
                thead { tr {
                    th scope="col" { "truth" }
                    @for class in answers.classes { th scope="col" { (class) } }
                    th scope="col" { "right" }
                } }
                tbody { @for (truth, row) in answers.counts.iter().enumerate() {
                    @let all: usize = row.iter().sum();
                    tr {
                        th scope="row" { (answers.classes[truth]) }
                        @for (answer, &cell) in row.iter().enumerate() {
                            // Texts stay readable on the darkest cell.
                            @let share = cell as f64 / all.max(1) as f64;
                            @let shade = format!("background:rgb(var(--cell)/{:.2})", (0.4 * share.sqrt()).min(0.4));
                            td.right[truth == answer] style=(shade) { (cell) }
                        }
                        td { @match all { 0 => "-", all => (format!("{:.1} %", 100.0 * row[truth] as f64 / all as f64)) } }
                    }
                } }
            }
        }
    }
}

fn pairs(answers: &Answers) -> Markup {
    let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
    for (truth, row) in answers.counts.iter().enumerate() {
        let wrong = row
            .iter()
            .enumerate()
            .filter(|(answer, cell)| *answer != truth && **cell > 0);
        pairs.extend(wrong.map(|(answer, cell)| (*cell, truth, answer)));
    }
    pairs.sort_by_key(|&(cell, truth, answer)| (std::cmp::Reverse(cell), truth, answer));
    let classes = thousands(answers.classes.len());
    html! {
        div.scroll role="region" tabindex="0" aria-label="Pairs of classes that are confused most" {
            table {
                caption { "The " (pairs.len().min(MOST_PAIRS)) " pairs of " (classes) " classes that are confused most, "
                    (count(answers.seeds, "seed")) }
                thead { tr { th scope="col" { "truth" } th scope="col" { "answer" } th.number scope="col" { "images" } } }
                tbody { @for (cell, truth, answer) in pairs.into_iter().take(MOST_PAIRS) { tr {
                    th scope="row" { (answers.classes[truth]) }
                    td { (answers.classes[answer]) }
                    td.number { (thousands(cell)) }
                } } }
            }
        }
    }
}
