//! What a search has found: its points by their score, and which of the drawn keys mattered.

use std::cmp::Ordering;

use rand::seq::SliceRandom;

use super::statistics::{Group, Spread, groups, spread};
use crate::measure::metric;
use crate::plan::{Search, own_name, short_keys};
use crate::record::{Cell, RunRow, Status, Watched};
use crate::rng::{Purpose, Seed};
use crate::run::Results;
use crate::table::{Record, Records, draw};

/// Points that a terminal shows.
const MOST_POINTS: usize = 20;

/// Points without which nothing is said of the keys.
const FEWEST: usize = 6;

/// Shuffles that stand for chance.
const SHUFFLES: usize = 2000;

/// Of a key of numbers, the groups of like size that its values are put into.
const GROUPS: usize = 3;

/// A point of a search.
struct Point<'a> {
    group: Group<'a>,
    /// The last epoch of its runs; `None` where none has ended.
    epochs: Option<usize>,
    /// The search's metric with the weights that are kept.
    score: Option<Spread>,
}

impl Point<'_> {
    /// The last epochs of its runs: `12`, `5 to 12`; the largest where that must be one number.
    fn epochs_text(&self, is_one_number: bool) -> String {
        let last = self.group.rows.iter().filter_map(|row| row.last.as_ref());
        let least = last.map(|last| last.epoch).min();
        match least.zip(self.epochs) {
            None => String::new(),
            Some((least, most)) if least < most && !is_one_number => format!("{least} to {most}"),
            Some((_, most)) => most.to_string(),
        }
    }

    fn is_done(&self) -> bool {
        self.standing() == "done"
    }

    /// Whether it stopped by itself while one that was given up no earlier was better.
    fn has_lost(&self, points: &[Point], watched: Watched) -> bool {
        let mean = |point: &Point| point.score.map(|score| score.mean);
        let beats = |other: &Point| {
            let is_later = other.standing() == Status::Halted.name() && other.epochs >= self.epochs;
            is_later && watched.order(mean(other), mean(self)) == Ordering::Less
        };
        points.iter().any(beats)
    }

    fn standing(&self) -> &'static str {
        let unlike_done = self
            .group
            .rows
            .iter()
            .find(|row| row.status != Status::Done);
        unlike_done.map_or("done", |row| row.status.name())
    }
}

/// Points, those first that went on to their end, then those that were trained for longest, and of those the best.
fn points<'a>(search: &Search, rows: &'a [RunRow]) -> Vec<Point<'a>> {
    let watched = search.metric;
    let point = |group: Group<'a>| {
        let last = group.rows.iter().filter_map(|row| row.last.as_ref());
        let kept = group.rows.iter().filter_map(|row| row.kept());
        let scores = kept.filter_map(|kept| watched.value(kept));
        Point {
            epochs: last.map(|last| last.epoch).max(),
            score: spread(&scores.collect::<Vec<f64>>()),
            group,
        }
    };
    let points: Vec<Point> = groups(rows).into_iter().map(point).collect();
    // One that stopped by itself has done as much as it could, and went on unless it lost before.
    let went_on = points
        .iter()
        .map(|point| point.is_done() && !point.has_lost(&points, watched));
    let went_on: Vec<bool> = went_on.collect();
    let mut points: Vec<(bool, Point)> = went_on.into_iter().zip(points).collect();
    points.sort_by(|(one_went_on, one), (other_went_on, other)| {
        other_went_on
            .cmp(one_went_on)
            .then(match one_went_on & other_went_on {
                true => Ordering::Equal,
                false => other.epochs.cmp(&one.epochs),
            })
            .then_with(|| {
                let [one, other] = [one, other].map(|point| point.score.map(|score| score.mean));
                watched.order(one, other)
            })
    });
    points.into_iter().map(|(_, point)| point).collect()
}

/// The table of a search: a row a point, the best first. Numbers as other tables of CSV have them, or as people read them.
pub(super) fn by_score(
    swept: &[String],
    search: &Search,
    rows: &[RunRow],
    is_exact: bool,
) -> (Record, Records) {
    let keys = short_keys(swept);
    let has_variants = rows.iter().any(|row| !own_name(&row.variant).is_empty());
    let test = ["test_accuracy", "test_loss"];
    let is_measured = |name: &&str| rows.iter().any(|row| metric(row, name).is_some());
    let test = test.into_iter().find(is_measured);
    let mut header: Record = vec!["place".to_string()];
    header.extend(has_variants.then(|| "variant".to_string()));
    header.extend(keys.iter().map(|key| key.to_string()));
    header.extend(["epochs", "state", search.metric.name()].map(String::from));
    header.extend(test.map(String::from));
    let text = |name: &str, spread: Option<Spread>| match spread {
        None => String::new(),
        Some(spread) if is_exact => Cell::Real(spread.mean).text(),
        Some(spread) => spread.told_by_name(name),
    };
    let record = |(place, point): (usize, Point)| {
        let first = point.group.rows[0];
        let mut record: Record = vec![(place + 1).to_string()];
        record.extend(has_variants.then(|| own_name(&first.variant).to_string()));
        record.extend(swept.iter().map(|key| first.swept_value(key).to_string()));
        record.extend([
            point.epochs_text(is_exact),
            point.standing().to_string(),
            text(search.metric.name(), point.score),
        ]);
        // A mean over some of the seeds is not the point's.
        let of_all = |name: &str| point.group.spread(name).filter(|_| point.is_done());
        record.extend(test.map(|name| text(name, of_all(name))));
        record
    };
    let points = points(search, rows).into_iter().enumerate();
    (header, points.map(record).collect())
}

/// The variant of the best point that was trained to its end; `None` where there is none yet.
pub fn best_point<'a>(search: &Search, rows: &'a [RunRow]) -> Option<&'a str> {
    let points = points(search, rows);
    let best = points.first()?;
    (best.is_done() && best.score.is_some()).then_some(best.group.variant)
}

/// The points by their score and what mattered, for a terminal.
pub(super) fn found(swept: &[String], search: &Search, results: &Results) -> String {
    let (header, mut records) = by_score(swept, search, &results.rows, false);
    let all = records.len();
    records.truncate(MOST_POINTS);
    let mut text = draw(&header, &records, 1);
    if all > MOST_POINTS {
        text += &format!(
            "\nand {} others: search.csv has them all",
            all - MOST_POINTS
        );
    }
    let (header, records) = what_mattered(swept, search, results);
    if !records.is_empty() {
        let table = draw(&header, &records, 1);
        let about = about(search);
        text += &format!(
            "\n\nwhat mattered for {about}:\n\n{table}\n{}",
            EXPLAINED.join("\n")
        );
    }
    text
}

/// What the columns of [`what_mattered`] say.
pub(super) const EXPLAINED: [&str; 2] = [
    "explains: of the differences in place, the share that this key alone explains; p: how often chance alone",
    "would explain as much; best, worst: the values with the best and the worst mean",
];

/// What mattered for what.
pub(super) fn about(search: &Search) -> String {
    let name = search.metric.name();
    match &search.halving {
        None => name.to_string(),
        Some(halving) => {
            let rung = halving.rungs[0].get();
            format!("{name} after epoch {rung}, which all points have")
        }
    }
}

/// A drawn or swept key by what it explains, the most first: header and rows.
pub(super) fn what_mattered(
    swept: &[String],
    search: &Search,
    results: &Results,
) -> (Record, Records) {
    let name = search.metric.name();
    let header = ["key", "explains", "p", "best", name, "worst", name];
    let header = header.map(String::from).to_vec();
    let measured = scores(search, results);
    if measured.len() < FEWEST {
        return (header, Vec::new());
    }
    let scores: Vec<f64> = measured.iter().map(|(_, score)| *score).collect();
    let ranks = ranks(&scores);
    let mut found: Vec<(f64, Record)> = Vec::new();
    for (key, short) in swept.iter().zip(short_keys(swept)) {
        let values: Vec<String> = measured
            .iter()
            .map(|(row, _)| row.swept_value(key).to_string())
            .collect();
        let classes = Classes::of(&values);
        if classes.names.len() < 2 {
            continue;
        }
        let share = classes.explain(&ranks);
        let mut means = classes.means(&scores);
        means.sort_by(|(_, one), (_, other)| search.metric.order(Some(*one), Some(*other)));
        let (best, worst) = (&means[0], &means[means.len() - 1]);
        let shown =
            |mean: f64| spread(&[mean]).map_or(String::new(), |mean| mean.told_by_name(name));
        let record = vec![
            short.to_string(),
            format!("{:.0} %", share * 100.0),
            p_text(classes.chance(&ranks, share)),
            best.0.clone(),
            shown(best.1),
            worst.0.clone(),
            shown(worst.1),
        ];
        found.push((share, record));
    }
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    (
        header,
        found.into_iter().map(|(_, record)| record).collect(),
    )
}

/// The first run of each point, and the point's score where all have one: at the first rung, or at the end.
fn scores<'a>(search: &Search, results: &'a Results) -> Vec<(&'a RunRow, f64)> {
    let rung = search
        .halving
        .as_ref()
        .map(|halving| halving.rungs[0].get());
    let score = |run: usize| match rung {
        Some(rung) => search.metric.value(results.epochs[run].get(rung - 1)?),
        None => search.metric.value(results.rows[run].kept()?),
    };
    let mut first = 0;
    let mut scores = Vec::new();
    for group in groups(&results.rows) {
        let runs = first..first + group.rows.len();
        first = runs.end;
        let of_runs: Option<Vec<f64>> = runs.map(score).collect();
        if let Some(spread) = of_runs.and_then(|of_runs| spread(&of_runs)) {
            scores.push((group.rows[0], spread.mean));
        }
    }
    scores
}

/// Places in order, from 1; those of values alike are their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count() as f64;
        let alike = values.iter().filter(|other| *other == value).count() as f64;
        below + (alike + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

/// Points by their values of a key.
struct Classes {
    names: Vec<String>,
    /// Of each point.
    of: Vec<usize>,
}

impl Classes {
    /// Each value for itself, or, of many numbers, those that lie together.
    fn of(values: &[String]) -> Self {
        let mut names: Vec<String> = values.to_vec();
        names.sort();
        names.dedup();
        let numbers: Option<Vec<f64>> = values.iter().map(|value| value.parse().ok()).collect();
        match numbers.filter(|_| names.len() > GROUPS) {
            Some(numbers) => Classes::of_numbers(values, &numbers),
            None => {
                let class = |value| names.binary_search(value).unwrap_or(0);
                Classes {
                    of: values.iter().map(class).collect(),
                    names,
                }
            }
        }
    }

    fn of_numbers(values: &[String], numbers: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..numbers.len()).collect();
        order.sort_by(|&one, &other| numbers[one].total_cmp(&numbers[other]));
        let mut of = vec![0; numbers.len()];
        let mut classes: Vec<(usize, usize)> = Vec::new();
        for (place, &index) in order.iter().enumerate() {
            let wanted = place * GROUPS / order.len();
            // What is alike stays together.
            let is_like_last = place > 0 && numbers[order[place - 1]] == numbers[index];
            if classes.is_empty() || (wanted >= classes.len() && !is_like_last) {
                classes.push((index, index));
            }
            of[index] = classes.len() - 1;
            if let Some(class) = classes.last_mut() {
                class.1 = index;
            }
        }
        let name = |&(low, high): &(usize, usize)| match values[low] == values[high] {
            true => values[low].clone(),
            false => format!("{} to {}", values[low], values[high]),
        };
        Classes {
            names: classes.iter().map(name).collect(),
            of,
        }
    }

    /// The mean of each.
    fn means(&self, values: &[f64]) -> Vec<(String, f64)> {
        let mean = |(class, name): (usize, &String)| {
            let own = values.iter().zip(&self.of).filter(|(_, of)| **of == class);
            let own: Vec<f64> = own.map(|(value, _)| *value).collect();
            (name.clone(), own.iter().sum::<f64>() / own.len() as f64)
        };
        self.names.iter().enumerate().map(mean).collect()
    }

    /// The share of the variance between the classes (the correlation ratio, eta squared).
    fn explain(&self, ranks: &[f64]) -> f64 {
        let mean = ranks.iter().sum::<f64>() / ranks.len() as f64;
        let whole: f64 = ranks.iter().map(|rank| (rank - mean).powi(2)).sum();
        let means = self.means(ranks);
        let between: f64 = self
            .of
            .iter()
            .map(|&class| (means[class].1 - mean).powi(2))
            .sum();
        match whole > 0.0 {
            true => between / whole,
            false => 0.0,
        }
    }

    /// How often shuffled places are explained as well: a permutation test.
    fn chance(&self, ranks: &[f64], share: f64) -> f64 {
        let mut rng = Seed(0).stream(Purpose::Search, &[u64::MAX]);
        let mut shuffled = ranks.to_vec();
        let as_well = (0..SHUFFLES).filter(|_| {
            shuffled.shuffle(&mut rng);
            self.explain(&shuffled) >= share - 1e-12
        });
        (as_well.count() + 1) as f64 / (SHUFFLES + 1) as f64
    }
}

fn p_text(p: f64) -> String {
    match p < 0.001 {
        true => "< 0.001".to_string(),
        false => format!("{p:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{EpochRow, Score, Watched};

    #[test]
    fn scores_are_written_as_other_tables_of_csv_write_numbers() {
        let row = |seed, accuracy| {
            let score = Score {
                accuracy: Some(accuracy),
                ..Score::default()
            };
            RunRow {
                status: Status::Done,
                last: Some(EpochRow::of_score(1, score)),
                ..RunRow::unfinished("a", seed, "id", Vec::new())
            }
        };
        let search = Search {
            keys: Vec::new(),
            metric: Watched::find("train_accuracy").unwrap(),
            halving: None,
        };
        // Their mean is 0.15000000000000002.
        let (_, records) = by_score(&[], &search, &[row(0, 0.1), row(1, 0.2)], true);
        assert_eq!(records[0].last().unwrap(), "0.15");
    }

    #[test]
    fn one_that_stopped_by_itself_stands_where_it_lost() {
        let row = |variant: &str, seed, status, epoch, accuracy| {
            let score = Score {
                accuracy: Some(accuracy),
                ..Score::default()
            };
            RunRow {
                status,
                last: Some(EpochRow::of_score(epoch, score)),
                ..RunRow::unfinished(variant, seed, "id", Vec::new())
            }
        };
        let search = Search {
            keys: Vec::new(),
            metric: Watched::find("train_accuracy").unwrap(),
            halving: None,
        };
        let rows = [
            row("lost", 0, Status::Done, 2, 0.23),
            row("first", 0, Status::Halted, 2, 0.45),
            row("long", 0, Status::Done, 5, 0.7),
            row("short", 0, Status::Done, 3, 0.8),
            row("later", 0, Status::Halted, 4, 0.6),
            row("mixed", 0, Status::Done, 2, 0.3),
            row("mixed", 1, Status::Halted, 4, 0.3),
            RunRow::unfinished("none", 0, "id", Vec::new()),
        ];
        let points = points(&search, &rows);
        let order: Vec<&str> = points.iter().map(|point| point.group.variant).collect();
        assert_eq!(
            order,
            ["short", "long", "later", "mixed", "first", "lost", "none"]
        );
        let epochs = |at: usize| points[at].epochs_text(false);
        assert_eq!([epochs(3), epochs(6)], ["2 to 4", ""]);
        assert_eq!(best_point(&search, &rows), Some("short"));
    }

    fn texts(values: &[f64]) -> Vec<String> {
        values.iter().map(f64::to_string).collect()
    }

    #[test]
    fn what_decides_explains_all_and_what_does_not_hardly_anything() {
        let scores: Vec<f64> = (0..30).map(f64::from).collect();
        let ranks = ranks(&scores);
        let decides = Classes::of(&texts(&scores));
        assert_eq!(decides.names, ["0 to 9", "10 to 19", "20 to 29"]);
        // Within the thirds the places still differ: 1 - (3 * 82.5) / 2247.5.
        let share = decides.explain(&ranks);
        assert!((share - 0.889_877_6).abs() < 1e-6, "{share}");
        assert!(decides.chance(&ranks, share) < 0.001);
        let parity = Classes::of(&texts(&scores.iter().map(|s| s % 2.0).collect::<Vec<_>>()));
        assert_eq!(parity.names, ["0", "1"]);
        let share = parity.explain(&ranks);
        assert!(share < 0.01, "{share}");
        assert!(parity.chance(&ranks, share) > 0.5);
    }

    #[test]
    fn a_best_value_in_the_middle_is_found() {
        let values: Vec<f64> = (0..30).map(f64::from).collect();
        let scores: Vec<f64> = values.iter().map(|v| -(v - 14.5).abs()).collect();
        let classes = Classes::of(&texts(&values));
        let share = classes.explain(&ranks(&scores));
        assert!(share > 0.6, "{share}");
        let means = classes.means(&scores);
        assert!(means[1].1 > means[0].1 && means[1].1 > means[2].1);
    }

    #[test]
    fn values_alike_share_their_place_and_their_class() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0]), [2.5, 1.0, 2.5]);
        let classes = Classes::of(&texts(&[1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0]));
        assert_eq!(classes.of[..4], [0, 0, 0, 0]);
        assert!(classes.names.len() > 1, "{:?}", classes.names);
    }
}
