//! Which of a subject's variants and metrics people are shown: of a big grid not all.

use std::cmp::Ordering;

use super::difference::Difference;
use super::losses::Losses;
use super::statistics::{Group, Spread};
use super::subject::Subject;
use super::warnings::warnings;
use crate::error::{Error, Problem, Result, count, did_you_mean, thousands};
use crate::measure::RUN_COLUMNS;
use crate::record::{Better, Metric, Status};

/// Variants with curves, confusion matrices and pictures: as many as there are colors.
pub const MOST_VARIANTS: usize = 8;

/// Rows of a table of variants.
pub const MOST_ROWS: usize = 100;

/// A metric and its column's name.
pub type NamedMetric = (&'static str, &'static Metric);

/// A subject as people see it.
pub struct View<'a> {
    /// What it is about.
    pub subject: &'a Subject,
    /// Its runs by variant.
    pub groups: Vec<Group<'a>>,
    /// The points that a search gave up, if it did not give up all.
    halted: Vec<Group<'a>>,
    /// The metrics that some variant has.
    pub metrics: Vec<NamedMetric>,
    /// The one that variants are ordered by; `None` where nothing was measured.
    pub main: Option<NamedMetric>,
    /// Which of its values are better; `None` where none is, or where it is another kind of number in some variants.
    pub better: Option<Better>,
    /// Which variants' losses are of one kind.
    losses: Losses,
    /// The variant that others are compared with.
    reference: usize,
}

/// A variant beside the reference.
pub enum Beside {
    /// It is the reference.
    Reference,
    /// One of the two has no such number.
    NotMeasured,
    /// It is another kind of loss than the reference's.
    OtherLoss,
    /// How far it is from it.
    Apart(Difference),
}

impl Beside {
    /// What tables write where there is no difference.
    pub fn text(&self) -> &'static str {
        match self {
            Beside::Reference => "reference",
            Beside::NotMeasured => "not measured",
            Beside::OtherLoss => "another loss",
            Beside::Apart(_) => "",
        }
    }

    /// Whether there is a difference that is not that of the means.
    pub fn is_of_shared_seeds(&self) -> bool {
        matches!(self, Beside::Apart(difference) if !difference.is_of_means())
    }
}

/// The metrics of the table by variant that some variant has: those of the test set first, those of no set
/// of samples last.
pub(super) fn shown(groups: &[Group]) -> Vec<NamedMetric> {
    let mut columns: Vec<_> = RUN_COLUMNS.iter().filter(|column| column.shown).collect();
    columns.sort_by_key(|column| (column.split.is_none(), column.split));
    let metrics = columns
        .into_iter()
        .filter_map(|column| Some((column.name.as_str(), column.metric?)));
    let is_measured = |name: &str| groups.iter().any(|group| group.spread(name).is_some());
    metrics.filter(|(name, _)| is_measured(name)).collect()
}

/// Without the points that a search gave up, unless it gave up all: they have curves and no other numbers.
fn parted(groups: Vec<Group>) -> (Vec<Group>, Vec<Group>) {
    let is_halted = |group: &Group| group.rows.iter().all(|row| row.status == Status::Halted);
    match groups.iter().all(is_halted) {
        true => (groups, Vec::new()),
        false => groups.into_iter().partition(|group| !is_halted(group)),
    }
}

impl<'a> View<'a> {
    /// `reference` is a variant's name; else the first is taken.
    ///
    /// # Errors
    /// There is no such variant.
    pub fn new(subject: &'a Subject, reference: Option<&str>) -> Result<Self> {
        let (groups, halted) = parted(subject.groups());
        let metrics = shown(&groups);
        let claimed = subject.claims.first().map(|claim| &*claim.metric);
        let named = |name: &str| {
            let column = RUN_COLUMNS.iter().find(|column| column.name == name)?;
            let is_there = groups.iter().any(|group| group.spread(name).is_some());
            Some((&*column.name, column.metric?)).filter(|_| is_there)
        };
        let claimed = claimed.and_then(named);
        let losses = Losses::of_subject(subject);
        let is_one_kind = |(_, metric): &NamedMetric| losses.differing(metric).is_empty();
        let directed: Vec<NamedMetric> = metrics
            .iter()
            .filter(|metric| metric.1.better.is_some() && is_one_kind(metric))
            .copied()
            .collect();
        // One that all variants have says more of them than one that some have.
        let done = || groups.iter().filter(|group| group.done() > 0);
        let is_everywhere =
            |(name, _): &&NamedMetric| done().all(|group| group.spread(name).is_some());
        let directed = directed.iter().find(is_everywhere).or(directed.first());
        let main = claimed
            .filter(is_one_kind)
            .or(directed.copied())
            .or(claimed)
            .or(metrics.first().copied());
        let better = main.filter(is_one_kind).and_then(|main| main.1.better);
        let reference = match reference {
            None => 0,
            Some(asked) => groups
                .iter()
                .position(|group| group.variant == asked)
                .ok_or_else(|| {
                    let known: Vec<&str> = groups.iter().map(|group| group.variant).collect();
                    let problem =
                        Problem::new(format!("there is no variant `{asked}` to compare with"));
                    Error::usage(problem.maybe_hint(did_you_mean(asked, &known)))
                })?,
        };
        Ok(View {
            subject,
            groups,
            halted,
            metrics,
            main,
            better,
            losses,
            reference,
        })
    }

    /// Digits behind the point of differences between variants, which are smaller than the numbers.
    pub fn decimals_of_differences(&self, (name, metric): NamedMetric) -> usize {
        let means = self.groups.iter().filter_map(|group| group.spread(name));
        metric.decimals_of_all(means.map(|spread| spread.mean)) + 1
    }

    /// A variant's metric beside the reference's.
    pub fn beside(&self, group: &Group, (name, metric): NamedMetric) -> Beside {
        let reference = self.reference();
        if group.variant == reference.variant {
            return Beside::Reference;
        }
        if !self
            .losses
            .are_alike(group.variant, reference.variant, metric)
        {
            return Beside::OtherLoss;
        }
        Difference::of(group, reference, name).map_or(Beside::NotMeasured, Beside::Apart)
    }

    /// What a reader of the numbers should know, a sentence each, without the period.
    pub fn warnings(&self) -> Vec<String> {
        warnings(&self.subject.rows, &self.losses)
    }

    /// The variant that others are compared with.
    pub fn reference(&self) -> &Group<'a> {
        &self.groups[self.reference]
    }

    /// The variants' numbers from the best to the worst by the main metric, or as they come: equal ones, too, and all where no
    /// value is better. Those without a number are last.
    pub fn ranking(&self) -> Vec<usize> {
        let means: Vec<Option<f64>> = self
            .groups
            .iter()
            .map(|group| Some(self.main_spread(group)?.mean).filter(|mean| !mean.is_nan()))
            .collect();
        let order = |one: f64, other: f64| match self.better {
            Some(Better::More) => other.total_cmp(&one),
            Some(Better::Less) => one.total_cmp(&other),
            None => Ordering::Equal,
        };
        let mut ranking: Vec<usize> = (0..self.groups.len()).collect();
        ranking.sort_by(|&one, &other| match (means[one], means[other]) {
            (Some(one), Some(other)) => order(one, other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        });
        ranking
    }

    /// The best variant by the main metric; `None` where no value is better.
    pub fn best(&self) -> Option<&Group<'a>> {
        self.better?;
        let best = &self.groups[*self.ranking().first()?];
        self.main_spread(best)
            .is_some_and(|spread| spread.mean.is_finite())
            .then_some(best)
    }

    /// The main metric of a variant.
    pub fn main_spread(&self, group: &Group) -> Option<Spread> {
        group.spread(self.main?.0)
    }

    /// Points that a search gave up, at most so many: those first that were trained for longest.
    pub fn given_up(&self, most: usize) -> Vec<&Group<'a>> {
        let epochs = |group: &&Group| {
            let last = group.rows.iter().filter_map(|row| row.last.as_ref());
            last.map(|last| last.epoch).max()
        };
        let mut given_up: Vec<&Group> = self.halted.iter().collect();
        given_up.sort_by_key(|group| std::cmp::Reverse(epochs(group)));
        given_up.truncate(most);
        given_up
    }

    /// How many of them are not among so many, in a sentence.
    pub fn given_up_left_out(&self, most: usize) -> Option<String> {
        let more = self.halted.len().saturating_sub(most);
        (more > 0).then(|| {
            let points = count(more, "point");
            format!("Not drawn: {points} that the search gave up. They are in epochs.csv.")
        })
    }

    /// The reference and the best others, at most so many, in the order of the file.
    pub fn chosen(&self, most: usize) -> Vec<&Group<'a>> {
        let others = self
            .ranking()
            .into_iter()
            .filter(|&number| number != self.reference);
        let mut chosen: Vec<usize> = std::iter::once(self.reference)
            .chain(others.take(most - 1))
            .collect();
        chosen.sort_unstable();
        chosen
            .into_iter()
            .map(|number| &self.groups[number])
            .collect()
    }

    /// What [`chosen`](Self::chosen) leaves out, in a sentence; `None` where that is nothing.
    pub fn left_out(&self, most: usize) -> Option<String> {
        let all = self.groups.len();
        let which = match self.main {
            Some((name, _)) if self.better.is_some() => {
                format!("the best {} others by {name}", most - 1)
            }
            _ => format!("the first {} others", most - 1),
        };
        (all > most).then(|| {
            format!("Shown of {} variants: the reference and {which}. All are in summary.csv and epochs.csv.", thousands(all))
        })
    }
}
