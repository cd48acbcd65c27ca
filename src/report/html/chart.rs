//! The charts of a page: their numbers as the page's script reads them, and the places where it draws them.

use maud::{Markup, PreEscaped, html};
use serde::Serialize;

use crate::table::fixed;

/// What the script draws.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Chart {
    /// Numbers over epochs or over a key of the grid: the seeds of each line thin, their mean thick.
    Curves {
        x_name: String,
        /// Where `x` counts names instead of being numbers.
        categories: Option<Vec<String>>,
        /// Whether `x` grows by factors.
        log: bool,
        /// Whether nothing drawn can be above 1.
        share: bool,
        decimals: usize,
        lines: Vec<Line>,
    },
    /// A mean over two keys of the grid: `[x, y, mean, standard deviation, n]`.
    Heat {
        x_name: String,
        y_name: String,
        x: Vec<String>,
        y: Vec<String>,
        value_name: String,
        decimals: usize,
        cells: Vec<(usize, usize, f64, Option<f64>, usize)>,
    },
    /// A line a variant through an axis for each key and one for the mean, which is the last.
    Parallel {
        axes: Vec<ParallelAxis>,
        lines: Vec<Vec<f64>>,
    },
}

/// A line of [`Chart::Curves`].
#[derive(Debug, Serialize)]
pub struct Line {
    pub name: String,
    /// Which of the page's colors.
    pub color: usize,
    pub dashed: bool,
    pub x: Vec<f64>,
    /// Over the seeds, at every `x` that all of them have.
    pub mean: Vec<Option<f64>>,
    pub seeds: Vec<Vec<Option<f64>>>,
}

/// An axis of [`Chart::Parallel`].
#[derive(Debug, Serialize)]
pub struct ParallelAxis {
    pub name: String,
    pub categories: Option<Vec<String>>,
    pub log: bool,
}

/// The charts of one page, in the order in which their places were made.
#[derive(Debug, Default)]
pub struct Charts(Vec<Chart>);

impl Charts {
    /// The place of a chart. `title` stands above it, `description` is what those hear who do not see it, `numbers`
    /// the table that says the same.
    pub fn place(
        &mut self,
        chart: Chart,
        title: &Markup,
        description: &str,
        numbers: &Markup,
    ) -> Markup {
        let number = self.0.len();
        let tall = !matches!(chart, Chart::Curves { .. });
        let wide = matches!(chart, Chart::Parallel { .. });
        self.0.push(chart);
        html! {
            figure {
                figcaption { (title) }
                div.plot.tall[tall].wide[wide] data-chart=(number) role="group" tabindex="0" aria-label=(description) {
                    div.canvas aria-hidden="true" {}
                    p.unseen aria-live="polite" {}
                }
                details.screen { summary { "Numbers of this chart" } (numbers) }
            }
        }
    }

    /// The numbers, in an element that runs nothing.
    pub fn data(&self) -> Markup {
        // The only character that could end the element or begin another.
        let json = serde_json::to_string(&self.0).unwrap_or_else(|_| "[]".to_string());
        let json = json.replace('<', "\\u003c");
        html! { script type="application/json" id="charts" { (PreEscaped(json)) } }
    }
}

/// Six significant digits, which is what a chart can show; all where its texts, with this many decimals, would be others.
pub fn rounded(number: f64, decimals: usize) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return number + 0.0;
    }
    let rounded = format!("{number:.5e}").parse().unwrap_or(number);
    match fixed(rounded, decimals) == fixed(number, decimals) {
        true => rounded,
        false => number,
    }
}

/// At most so many numbers below `all`, evenly spread, the first and the last among them.
pub fn thinned(all: usize, most: usize) -> Vec<usize> {
    match all <= most {
        true => (0..all).collect(),
        false => (0..most).map(|n| n * (all - 1) / (most - 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_six_digits_and_those_that_are_printed() {
        assert_eq!(rounded(0.123456789, 4), 0.123457);
        assert_eq!(rounded(-1.2345678e-3, 4), -1.23457e-3);
        assert_eq!(rounded(2.5e-12, 4), 2.5e-12);
        assert_eq!(rounded(346.64735, 4), 346.64735);
        assert_eq!(rounded(346.64735, 2), 346.647);
        // Rounded twice it would be 1.2346.
        assert_eq!(rounded(1.2345499, 4), 1.2345499);
        assert!(rounded(-0.0, 4).is_sign_positive());
    }

    #[test]
    fn thinning_keeps_both_ends() {
        assert_eq!(thinned(3, 5), [0, 1, 2]);
        assert_eq!(thinned(101, 5), [0, 25, 50, 75, 100]);
    }

    #[test]
    fn no_name_ends_the_element_of_the_numbers() {
        let mut charts = Charts::default();
        let chart = Chart::Parallel {
            axes: vec![ParallelAxis {
                name: "</script><script>alert(1)</script>".to_string(),
                categories: None,
                log: false,
            }],
            lines: Vec::new(),
        };
        charts.place(chart, &html! {}, "", &html! {});
        let data = charts.data().into_string();
        assert_eq!(data.matches('<').count(), 2, "{data}");
        let json = data.split_once('>').unwrap().1.rsplit_once('<').unwrap().0;
        let read: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(
            read[0]["axes"][0]["name"],
            "</script><script>alert(1)</script>"
        );
    }
}
