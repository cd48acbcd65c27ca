//! Successive halving: which points of a search go on after each rung, and which are given up.
//!
//! Decided by the scores at the rungs alone, as soon as they settle it: however many runs are trained at a time, the same
//! points go on.

use super::Results;
use crate::config::Halving;
use crate::plan::Plan;
use crate::record::{EpochRow, RunRow, Status, Watched};

/// How far a run may be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Until after this epoch; `None`: to its end.
    GoesOn(Option<usize>),
    /// It has reached a rung, and others decide whether it goes on.
    Waits,
    /// Others were better after this epoch.
    GivenUp(usize),
}

/// How far the points of a search have come.
#[derive(Debug)]
pub(super) struct Ladder<'a> {
    halving: &'a Halving,
    metric: Watched,
    /// The runs of each point, by seed.
    points: Vec<Vec<usize>>,
    /// The point of each run; none of those that are left out or trained to their end whatever comes.
    point_of: Vec<Option<usize>>,
    /// How far each point may go; never that it waits.
    limits: Vec<Standing>,
}

/// What is known of a point at a rung.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Known {
    /// One of its runs has not got there.
    Nothing,
    /// The mean over its runs.
    Score(f64),
    /// One of its runs failed, and it has none.
    Lost,
}

impl<'a> Ladder<'a> {
    /// For the runs that take part, if the plan halves its points; others are trained to their end.
    pub fn of(plan: &'a Plan, takes_part: impl Fn(usize) -> bool) -> Option<Self> {
        let search = plan.search.as_ref()?;
        let halving = search.halving.as_ref()?;
        let (mut points, mut point_of): (Vec<Vec<usize>>, _) = (Vec::new(), Vec::new());
        let mut last = None;
        for (index, run) in plan.runs.iter().enumerate() {
            if !takes_part(index) {
                point_of.push(None);
                continue;
            }
            if last != Some(&run.variant) {
                last = Some(&run.variant);
                points.push(Vec::new());
            }
            let point = points.len() - 1;
            points[point].push(index);
            point_of.push(Some(point));
        }
        Some(Ladder {
            halving,
            metric: search.metric,
            limits: vec![Standing::GoesOn(first(halving)); points.len()],
            points,
            point_of,
        })
    }

    /// How far a run may be trained that has so many epochs.
    pub fn standing(&self, run: usize, epochs: usize) -> Standing {
        match self.point_of[run].map(|point| self.limits[point]) {
            None => Standing::GoesOn(None),
            Some(Standing::GoesOn(Some(until))) if epochs >= until => Standing::Waits,
            Some(limit) => limit,
        }
    }

    /// Looks at what the runs have come to.
    pub fn update(&mut self, results: &Results) {
        let mut entrants: Vec<usize> = (0..self.points.len()).collect();
        // How many there will be, known or not yet.
        let mut places = entrants.len();
        for (level, rung) in self.halving.rungs.iter().enumerate() {
            let through = places.div_ceil(self.halving.factor.get());
            let ranked = self.ranked(&entrants, rung.get(), results);
            let unknown = places - ranked.len();
            entrants.clear();
            for (better, point) in ranked.into_iter().enumerate() {
                if better >= through {
                    self.limits[point] = Standing::GivenUp(rung.get());
                } else if better + unknown < through {
                    let next = self.halving.rungs.get(level + 1);
                    self.limits[point] = Standing::GoesOn(next.map(|rung| rung.get()));
                    entrants.push(point);
                }
            }
            places = through;
        }
    }

    /// Those of which it is known how they did, the best first; of two alike the one that stands first in the plan.
    fn ranked(&self, entrants: &[usize], rung: usize, results: &Results) -> Vec<usize> {
        let known = entrants
            .iter()
            .filter_map(|&point| match self.known(point, rung, results) {
                Known::Nothing => None,
                Known::Score(score) => Some((point, Some(score))),
                Known::Lost => Some((point, None)),
            });
        let mut known: Vec<(usize, Option<f64>)> = known.collect();
        known.sort_by(|(_, one), (_, other)| self.metric.order(*one, *other));
        known.into_iter().map(|(point, _)| point).collect()
    }

    fn known(&self, point: usize, rung: usize, results: &Results) -> Known {
        let runs = &self.points[point];
        let mut sum = 0.0;
        let mut is_known = true;
        for &run in runs {
            match self.known_of(&results.rows[run], &results.epochs[run], rung) {
                Known::Lost => return Known::Lost,
                Known::Nothing => is_known = false,
                Known::Score(score) => sum += score,
            }
        }
        match is_known {
            true => Known::Score(sum / runs.len() as f64),
            false => Known::Nothing,
        }
    }

    fn known_of(&self, row: &RunRow, epochs: &[EpochRow], rung: usize) -> Known {
        let at_rung = match row.status {
            Status::Failed | Status::Diverged => return Known::Lost,
            // One that stopped early by itself has nothing to add.
            Status::Done if epochs.len() < rung => row.kept(),
            Status::Done | Status::Unfinished | Status::Halted => epochs.get(rung - 1),
        };
        match at_rung {
            None => Known::Nothing,
            Some(row) => self.metric.value(row).map_or(Known::Lost, Known::Score),
        }
    }
}

/// The first epoch after which points are compared.
fn first(halving: &Halving) -> Option<usize> {
    halving.rungs.first().map(|rung| rung.get())
}
