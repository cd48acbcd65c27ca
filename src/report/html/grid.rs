//! The main metric over the keys of a grid: a line over one, a heat map over two, parallel coordinates over more.

use maud::{Markup, html};

use super::chart::{Chart, Charts, Line, ParallelAxis, rounded};
use super::variant_name;
use crate::error::thousands;
use crate::plan::own_name;
use crate::record::Metric;
use crate::report::statistics::Group;
use crate::report::view::{MOST_VARIANTS, NamedMetric, View};

/// Cells of a heat map, and lines of parallel coordinates.
const MOST_CELLS: usize = 4000;
const MOST_LINES: usize = 600;

/// Seeds of a line, and rows of the tables behind charts.
const MOST_SEEDS: usize = 10;
const MOST_ROWS: usize = 50;

/// From this ratio of its largest to its smallest value on, an axis grows by factors.
const LOG_RATIO: f64 = 30.0;

/// A key of the grid, or several that move together.
struct Axis {
    name: String,
    /// Every value once: numbers by size, others as they come.
    values: Vec<String>,
    /// The same as numbers, if all are some.
    numbers: Option<Vec<f64>>,
}

/// A variant's place in the grid.
struct Point<'a> {
    group: &'a Group<'a>,
    /// The named variant; empty where the file has none.
    name: &'a str,
    /// Which value it has on each axis.
    at: Vec<usize>,
    mean: f64,
    /// Its place among all variants, from the best on.
    rank: usize,
}

/// The chart of the grid; nothing for an experiment without one.
pub fn section(view: &View, charts: &mut Charts) -> Markup {
    let Some(metric) = view.main.filter(|_| !view.subject.swept.is_empty()) else {
        return html! {};
    };
    let axes = axes(view);
    let points = points(view, &axes);
    if points.len() < 2 {
        return html! {};
    }
    let mut names: Vec<&str> = Vec::new();
    for point in &points {
        if !names.contains(&point.name) {
            names.push(point.name);
        }
    }
    let most = if view.subject.search.is_some() { 1 } else { 2 };
    let is_parallel = axes.len() > most;
    let figures = match axes.as_slice() {
        [] => return html! {},
        [axis] => vec![line(view, axis, &points, &names, metric, charts)],
        [x, y] if !is_parallel => {
            let maps = names.iter().take(MOST_VARIANTS);
            maps.map(|name| heat(view, x, y, &points, name, metric, charts))
                .collect()
        }
        _ => vec![parallel(view, &axes, &points, &names, metric, charts)],
    };
    let best = view
        .best()
        .and_then(|best| Some((best, view.main_spread(best)?)));
    html! {
        section aria-labelledby="grid" {
            h2 id="grid" { "Over the grid" }
            @if let Some((best, spread)) = best {
                p { "Best: " code { (best.variant) } " with " (metric.0) " " (spread.told(metric.1)) "." }
            }
            @if is_parallel {
                p { "Every line is a variant. Drag along an axis to pick out those that pass there; a click outside lets go." }
            }
            div.figures[!is_parallel] { @for figure in figures { (figure) } }
        }
    }
}

/// An axis for each key; in a grid those that move together are one. In a search each value is drawn once and for itself.
fn axes(view: &View) -> Vec<Axis> {
    let is_search = view.subject.search.is_some();
    let mut columns: Vec<(String, Vec<String>)> = Vec::new();
    for key in &view.subject.swept {
        let values: Vec<String> = view.groups.iter().map(|group| value(group, key)).collect();
        let name = short(key, &view.subject.swept);
        match columns
            .iter_mut()
            .find(|(_, others)| !is_search && move_together(others, &values))
        {
            Some((known, others)) => {
                *known = format!("{known}, {name}");
                for (other, own) in others.iter_mut().zip(values) {
                    *other = format!("{other}, {own}");
                }
            }
            None => columns.push((name.to_string(), values)),
        }
    }
    let axes = columns
        .into_iter()
        .map(|(name, values)| Axis::new(name, values));
    axes.filter(|axis| axis.values.len() > 1).collect()
}

fn value(group: &Group, key: &str) -> String {
    let first = group.rows.first();
    first.map_or(String::new(), |row| row.swept_value(key).to_string())
}

/// Whether each value of one goes with one of the other, and several values are there.
fn move_together(one: &[String], other: &[String]) -> bool {
    let pairs = distinct(one.iter().zip(other));
    let values = distinct(one);
    values.len() > 1 && pairs.len() == values.len() && distinct(other).len() == values.len()
}

fn distinct<T: Ord>(items: impl IntoIterator<Item = T>) -> std::collections::BTreeSet<T> {
    items.into_iter().collect()
}

/// The last part of a dotted key, or all of it where another key ends so.
fn short<'a>(key: &'a str, keys: &[String]) -> &'a str {
    let end = |key: &'a str| key.rsplit('.').next().unwrap_or(key);
    let own = end(key);
    let same = keys
        .iter()
        .filter(|other| other.rsplit('.').next() == Some(own));
    if same.count() > 1 { key } else { own }
}

impl Axis {
    fn new(name: String, of_groups: Vec<String>) -> Self {
        let mut values: Vec<String> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for value in of_groups {
            if seen.insert(value.clone()) {
                values.push(value);
            }
        }
        let numbers: Option<Vec<f64>> = values
            .iter()
            .map(|value| value.parse().ok().filter(|n: &f64| n.is_finite()))
            .collect();
        let Some(numbers) = numbers else {
            return Axis {
                name,
                values,
                numbers: None,
            };
        };
        let mut pairs: Vec<(f64, String)> = numbers.into_iter().zip(values).collect();
        pairs.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (numbers, values) = pairs.into_iter().unzip();
        Axis {
            name,
            values,
            numbers: Some(numbers),
        }
    }

    fn is_log(&self) -> bool {
        match self.numbers.as_deref() {
            Some([first, .., last]) => *first > 0.0 && last / first >= LOG_RATIO,
            _ => false,
        }
    }
}

/// The variants that have a number, at their places.
fn points<'a>(view: &'a View, axes: &[Axis]) -> Vec<Point<'a>> {
    let keys: Vec<Vec<&str>> = axes
        .iter()
        .map(|axis| {
            let names: Vec<&str> = axis.name.split(", ").collect();
            let swept = view.subject.swept.iter().map(String::as_str);
            swept
                .filter(|key| names.contains(&short(key, &view.subject.swept)))
                .collect()
        })
        .collect();
    let mut ranks = vec![0; view.groups.len()];
    for (rank, number) in view.ranking().into_iter().enumerate() {
        ranks[number] = rank;
    }
    let point = |(group, rank): (&'a Group<'a>, usize)| {
        let mean = view.main_spread(group)?.mean;
        let place = |(axis, keys): (&Axis, &Vec<&str>)| {
            let values: Vec<String> = keys.iter().map(|key| value(group, key)).collect();
            let own = values.join(", ");
            axis.values.iter().position(|value| *value == own)
        };
        let at: Option<Vec<usize>> = axes.iter().zip(&keys).map(place).collect();
        Some(Point {
            group,
            name: own_name(group.variant),
            at: at?,
            mean,
            rank,
        })
        .filter(|point| point.mean.is_finite())
    };
    view.groups.iter().zip(ranks).filter_map(point).collect()
}

/// A line a named variant, its seeds thin.
fn line(
    view: &View,
    axis: &Axis,
    points: &[Point],
    names: &[&str],
    (metric, facts): NamedMetric,
    charts: &mut Charts,
) -> Markup {
    let x_of = |point: &Point| match &axis.numbers {
        Some(numbers) => numbers[point.at[0]],
        None => point.at[0] as f64,
    };
    let decimals = decimals(points, facts);
    let drawn = |number| rounded(number, decimals);
    let line = |(color, name): (usize, &&str)| {
        let mut own: Vec<&Point> = points.iter().filter(|point| point.name == *name).collect();
        own.sort_by(|one, other| x_of(one).total_cmp(&x_of(other)));
        let mut seeds: Vec<u64> = own
            .iter()
            .flat_map(|point| point.group.values(metric).into_keys())
            .collect();
        seeds.sort_unstable();
        seeds.dedup();
        let of_seed = |seed: &u64| {
            let values = own
                .iter()
                .map(|point| point.group.values(metric).get(seed).copied().map(drawn));
            values.collect()
        };
        Line {
            name: if name.is_empty() {
                metric.to_string()
            } else {
                name.to_string()
            },
            color,
            dashed: color % 2 == 1,
            x: own.iter().map(|point| x_of(point)).collect(),
            mean: own.iter().map(|point| Some(drawn(point.mean))).collect(),
            seeds: seeds.iter().take(MOST_SEEDS).map(of_seed).collect(),
        }
    };
    let lines: Vec<Line> = names
        .iter()
        .take(MOST_VARIANTS)
        .enumerate()
        .map(line)
        .collect();
    let chart = Chart::Curves {
        x_name: axis.name.clone(),
        categories: axis.numbers.is_none().then(|| axis.values.clone()),
        log: axis.is_log(),
        share: facts.is_share(),
        decimals,
        lines,
    };
    let title = html! { (metric) " over " (axis.name) " " span.quiet { "every seed thin, the mean thick" } };
    let description = format!(
        "Chart of {metric} over {} for {} lines",
        axis.name,
        names.len().min(MOST_VARIANTS)
    );
    let figure = charts.place(
        chart,
        &title,
        &description,
        &table(view, points, (metric, facts)),
    );
    html! {
        (figure)
        @if names.len() > 1 {
            ul { @for (color, name) in names.iter().take(MOST_VARIANTS).enumerate() {
                li { span class={ "swatch s" (color) " " (if color % 2 == 1 { "dashed" } else { "" }) } {} " " (name) }
            } }
        }
        @if names.len() > MOST_VARIANTS { p.quiet { "Drawn are the first " (MOST_VARIANTS) " of " (names.len()) " variants of the file." } }
        @if view.groups.iter().any(|group| group.rows.len() > MOST_SEEDS) { p.quiet { "The first " (MOST_SEEDS) " seeds are drawn." } }
    }
}

fn heat(
    view: &View,
    x: &Axis,
    y: &Axis,
    points: &[Point],
    name: &str,
    (metric, facts): NamedMetric,
    charts: &mut Charts,
) -> Markup {
    let own: Vec<&Point> = points.iter().filter(|point| point.name == name).collect();
    // Of each axis every so manieth value, until the cells are few enough.
    let mut step = 1;
    while x.values.len().div_ceil(step) * y.values.len().div_ceil(step) > MOST_CELLS {
        step += 1;
    }
    let kept = |axis: &Axis| -> Vec<String> { axis.values.iter().step_by(step).cloned().collect() };
    let decimals = decimals(points, facts);
    let drawn = |number| rounded(number, decimals);
    let cells = own
        .iter()
        .filter(|point| point.at.iter().all(|at| at % step == 0))
        .filter_map(|point| {
            let spread = point.group.spread(metric)?;
            let deviation = spread.deviation.map(drawn);
            Some((
                point.at[0] / step,
                point.at[1] / step,
                drawn(spread.mean),
                deviation,
                spread.runs,
            ))
        });
    let chart = Chart::Heat {
        x_name: x.name.clone(),
        y_name: y.name.clone(),
        x: kept(x),
        y: kept(y),
        value_name: metric.to_string(),
        decimals,
        cells: cells.collect(),
    };
    let title = html! {
        (metric) " over " (x.name) " and " (y.name)
        @if !name.is_empty() { ": " (name) }
        " " span.quiet { "mean over the seeds" }
    };
    let description = format!(
        "Heat map of {metric} over {} and {}, {} variants",
        x.name,
        y.name,
        own.len()
    );
    let figure = charts.place(
        chart,
        &title,
        &description,
        &table(view, points, (metric, facts)),
    );
    html! {
        (figure)
        @if step > 1 { p.quiet { "Of each key every " (ordinal(step)) " value is drawn; summary.csv has all." } }
    }
}

/// `3rd`.
fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn parallel(
    view: &View,
    axes: &[Axis],
    points: &[Point],
    names: &[&str],
    (metric, facts): NamedMetric,
    charts: &mut Charts,
) -> Markup {
    let ranked = ranked(points);
    // The best half whole, and an even sample of the others.
    let sample: Vec<usize> = match ranked.len() <= MOST_LINES {
        true => (0..ranked.len()).collect(),
        false => {
            let half = MOST_LINES / 2;
            let others = super::chart::thinned(ranked.len() - half, half)
                .into_iter()
                .map(|number| half + number);
            (0..half).chain(others).collect()
        }
    };
    let has_names = names.len() > 1;
    let own = has_names.then(|| ParallelAxis {
        name: "variant".to_string(),
        categories: Some(names.iter().map(|name| name.to_string()).collect()),
        log: false,
    });
    let of_key = |axis: &Axis| ParallelAxis {
        name: axis.name.clone(),
        categories: axis.numbers.is_none().then(|| axis.values.clone()),
        log: axis.is_log(),
    };
    let last = ParallelAxis {
        name: metric.to_string(),
        categories: None,
        log: false,
    };
    let decimals = decimals(points, facts);
    let line = |&number: &usize| {
        let point = ranked[number];
        let name = has_names.then(|| {
            names
                .iter()
                .position(|name| *name == point.name)
                .unwrap_or_default() as f64
        });
        let coordinate = |(axis, &at): (&Axis, &usize)| {
            axis.numbers
                .as_ref()
                .map_or(at as f64, |numbers| numbers[at])
        };
        let places = axes.iter().zip(&point.at).map(coordinate);
        name.into_iter()
            .chain(places)
            .chain([rounded(point.mean, decimals)])
            .collect()
    };
    let chart = Chart::Parallel {
        axes: own
            .into_iter()
            .chain(axes.iter().map(of_key))
            .chain([last])
            .collect(),
        lines: sample.iter().map(line).collect(),
    };
    let title =
        html! { (metric) " over " (axes.len()) " keys " span.quiet { "mean over the seeds" } };
    let description = format!(
        "Parallel coordinates of {metric} over {} keys, {} variants",
        axes.len(),
        sample.len()
    );
    let figure = charts.place(
        chart,
        &title,
        &description,
        &table(view, points, (metric, facts)),
    );
    html! {
        (figure)
        @if ranked.len() > MOST_LINES {
            p.quiet {
                "Drawn of " (thousands(ranked.len())) " variants: the " (leading(view)) " " (MOST_LINES / 2) " and an even sample of the others."
            }
        }
    }
}

/// Digits behind the point of numbers in a chart of these points.
fn decimals(points: &[Point], metric: &Metric) -> usize {
    metric.decimals_of_all(points.iter().map(|point| point.mean))
}

/// The points from the best on, or as they come.
fn ranked<'a>(points: &'a [Point<'a>]) -> Vec<&'a Point<'a>> {
    let mut ranked: Vec<&Point> = points.iter().collect();
    ranked.sort_by_key(|point| point.rank);
    ranked
}

/// What the first of the points are: the best where some value is better.
fn leading(view: &View) -> &'static str {
    match view.better {
        Some(_) => "best",
        None => "first",
    }
}

fn table(view: &View, points: &[Point], (metric, facts): NamedMetric) -> Markup {
    let ranked = ranked(points);
    html! {
        div.scroll.long[ranked.len() > 20] role="region" tabindex="0" aria-label={ "Numbers of " (metric) " over the grid" } {
            table {
                caption {
                    @match ranked.len() > MOST_ROWS {
                        true => { "The " (leading(view)) " " (MOST_ROWS) " of " (thousands(ranked.len())) " variants" },
                        false => "Mean ± sample standard deviation over seeds",
                    }
                }
                thead { tr { th scope="col" { "variant" } th.number scope="col" { (metric) } } }
                tbody { @for point in ranked.iter().take(MOST_ROWS) { tr {
                    th scope="row" { (variant_name(point.group.variant)) }
                    td.number { (point.group.spread(metric).map_or(String::new(), |spread| spread.told(facts))) }
                } } }
            }
        }
    }
}
