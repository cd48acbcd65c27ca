//! How long training takes, and what is trained when: epochs or steps, in one stage or several.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Optimizers, Train};
use crate::error::{Flaw, thousands};
use crate::models::Kind;
use crate::network::{Patterns, Plan};
use crate::optim::schedule::Span;
use crate::value::Positive;

/// A part of the training, which takes up the weights where the one before left them. Optimizer, schedule
/// and warm-up start anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What it is called in tables. Default its number, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Passes over the training images; or give `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<Positive>,
    /// Steps; or give `epochs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Positive>,
    /// Layers and blocks that batches are led past, as patterns of their names: what is left must fit
    /// together. Default none.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub skip: Patterns,
    /// Layers that stay as they are, in place of `train.freeze`.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub freeze: Patterns,
    /// The only layers that do not stay as they are, in place of `train.train_only`.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub train_only: Patterns,
    /// In place of `train.optimizer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<Optimizers>,
}

impl Stage {
    /// The plan with what the stage leaves out and freezes. Flaws have keys such as `skip.0`.
    pub fn plan(&self, whole: &Plan) -> (Plan, Vec<Flaw>) {
        let (mut plan, mut flaws) = whole.without(&self.skip);
        if flaws.is_empty() {
            flaws = plan.freeze(&self.freeze, &self.train_only);
        }
        if flaws.is_empty() && whole.trains() && !plan.trains() {
            let message = "`skip` leaves nothing to train";
            let flaw = Flaw::new("skip", message);
            flaws.push(flaw.hint("some layer with weights must be trained"));
        }
        (plan, flaws)
    }

    fn length_flaw(&self) -> Option<Flaw> {
        let message = match (self.epochs, self.steps) {
            (Some(_), Some(_)) => "the stage says both `epochs` and `steps`",
            (None, None) => "the stage does not say how long it takes",
            _ => return None,
        };
        Some(Flaw::new("", message).hint("give it `epochs` or `steps`"))
    }
}

/// A stage, or the whole training where there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// Number of the stage, from 0.
    pub stage: Option<usize>,
    /// Its number of steps, and those of an epoch.
    pub span: Span,
    /// Steps that make a row of `epochs.csv`; the last row of a phase may have fewer.
    pub row: usize,
    /// Passes over the training images in the phases before.
    pub passes_before: usize,
}

impl Phase {
    fn rows(&self) -> usize {
        self.span.all.div_ceil(self.row)
    }
}

/// What one row of `epochs.csv` covers: an epoch, or `log_every` steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// From 1, over all phases.
    pub number: usize,
    /// The phase that it belongs to.
    pub phase: Phase,
    /// Whether it is the phase's first.
    pub is_first: bool,
    /// Steps of the phase, from 0.
    pub steps: Range<usize>,
    /// Steps of all intervals until the end of this one.
    pub steps_done: usize,
}

/// The whole training, phase after phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingPlan(Vec<Phase>);

impl TrainingPlan {
    /// One for each stage, or one for all.
    pub fn phases(&self) -> &[Phase] {
        &self.0
    }

    /// How many rows it makes.
    pub fn intervals(&self) -> usize {
        self.0.iter().map(Phase::rows).sum()
    }

    /// Passes over the training images, the last one perhaps in part.
    pub fn passes(&self) -> f64 {
        let passes = |phase: &Phase| phase.span.all as f64 / phase.span.epoch as f64;
        self.0.iter().map(passes).sum()
    }

    /// The interval with this number, from 1 to [`intervals`](Self::intervals).
    pub fn interval(&self, number: usize) -> Interval {
        let (mut rows_before, mut steps_before) = (0, 0);
        for phase in &self.0 {
            let row = number - 1 - rows_before;
            if row < phase.rows() {
                let start = row * phase.row;
                let end = (start + phase.row).min(phase.span.all);
                return Interval {
                    number,
                    phase: *phase,
                    is_first: row == 0,
                    steps: start..end,
                    steps_done: steps_before + end,
                };
            }
            rows_before += phase.rows();
            steps_before += phase.span.all;
        }
        unreachable!("the training plan has fewer than {number} intervals")
    }
}

/// Rows of a training counted in steps, unless `log_every` asks for more.
const MOST_ROWS: usize = 100;

impl Train {
    /// The plan of a training with `images` images in an epoch, the augmented copies included.
    pub fn training_plan(&self, images: usize) -> TrainingPlan {
        let batches = images.div_ceil(self.batch_size.get());
        let epoch = batches.div_ceil(self.accumulate.get()).max(1);
        let mut passes_before = 0;
        let mut phase = |stage, epochs: Option<Positive>, steps: Option<Positive>| {
            let all = match (epochs, steps) {
                (_, Some(steps)) => steps.get(),
                (epochs, None) => epoch * epochs.unwrap_or(self.epochs).get(),
            };
            let row = match steps {
                Some(_) => self
                    .log_every
                    .0
                    .map_or(epoch.max(all.div_ceil(MOST_ROWS)), Positive::get),
                None => epoch,
            };
            let phase = Phase {
                stage,
                span: Span { epoch, all },
                row,
                passes_before,
            };
            passes_before += all.div_ceil(epoch);
            phase
        };
        if self.stages.is_empty() {
            return TrainingPlan(vec![phase(None, Some(self.epochs), self.steps.0)]);
        }
        let stages = self.stages.iter().enumerate();
        TrainingPlan(
            stages
                .map(|(number, stage)| phase(Some(number), stage.epochs, stage.steps))
                .collect(),
        )
    }

    /// The optimizer of a stage, or those of its parts.
    pub fn optimizers_of(&self, stage: Option<usize>) -> &Optimizers {
        let own = stage.and_then(|stage| self.stages[stage].optimizer.as_ref());
        own.unwrap_or(&self.optimizer)
    }

    /// What a stage is called.
    pub fn stage_name(&self, stage: usize) -> String {
        let given = self.stages[stage].name.clone();
        given.unwrap_or_else(|| (stage + 1).to_string())
    }

    /// Whether a length is given in steps.
    pub fn counts_steps(&self) -> bool {
        match self.stages.is_empty() {
            true => !self.steps.is_none(),
            false => self.stages.iter().any(|stage| stage.steps.is_some()),
        }
    }

    /// Where a row of `epochs.csv`, from 1, ends: `epoch 4`, or `step 200` where training is counted in steps.
    pub fn point(&self, training_plan: &TrainingPlan, row: usize) -> String {
        match self.counts_steps() {
            false => format!("epoch {row}"),
            true => format!("step {}", thousands(training_plan.interval(row).steps_done)),
        }
    }

    /// What is wrong with its lengths and stages for a model of this kind, planned like this; keys are below `[train]`.
    pub fn training_plan_flaws(&self, kind: Kind, whole: &Plan) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if !self.log_every.is_none() && !self.counts_steps() {
            let message = "`log_every` counts steps, but training is counted in epochs";
            flaws.push(Flaw::new("log_every", message).hint("give `steps` too, or leave it out"));
        }
        if !self.stages.is_empty() {
            if !self.steps.is_none() {
                let message = "`steps` is given, and stages, which have their own";
                flaws.push(Flaw::new("steps", message).hint("leave it to the stages"));
            }
            let whole_freeze = [("freeze", &self.freeze), ("train_only", &self.train_only)];
            for (key, patterns) in whole_freeze {
                if !patterns.is_empty() {
                    let message = format!("`{key}` is given, and stages, which have their own");
                    flaws.push(Flaw::new(key, message).hint("leave it to the stages"));
                }
            }
        }
        if let Some(last) = self.stages.last() {
            if !last.skip.is_empty() {
                let message = "the last stage skips layers, which the trained model would lack";
                let key = format!("stages.{}.skip", self.stages.len() - 1);
                flaws.push(Flaw::new(key, message).hint("add a stage that trains the whole model"));
            }
            if self.early_stopping.as_ref().is_some() {
                let message = "`early_stopping` would end stages that others stand on";
                flaws.push(Flaw::new("early_stopping", message).hint("leave it out; or make the last stage an experiment of its own, which begins with `start.run`"));
            }
        }
        let names: Vec<String> = (0..self.stages.len())
            .map(|stage| self.stage_name(stage))
            .collect();
        let twice = (1..names.len()).find(|&number| names[..number].contains(&names[number]));
        if let Some(number) = twice {
            let message = format!("two stages are called `{}`", names[number]);
            flaws.push(Flaw::new(format!("stages.{number}.name"), message));
        }
        for (number, stage) in self.stages.iter().enumerate() {
            let below = format!("stages.{number}");
            let mut own: Vec<Flaw> = stage.length_flaw().into_iter().collect();
            own.extend(stage.plan(whole).1);
            let optimizer = stage.optimizer.iter().flat_map(|own| own.check(kind));
            own.extend(optimizer.map(|flaw| flaw.under("optimizer")));
            flaws.extend(own.into_iter().map(|flaw| flaw.under(&below)));
        }
        flaws
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training_plan(more: &str, images: usize) -> TrainingPlan {
        let text = format!(
            "epochs = 3\nbatch_size = 10\nloss = 'mse'\noptimizer = 'adam'\nseeds = [0]\n{more}"
        );
        let train: Train = toml::from_str(&text).expect("the settings parse");
        train.training_plan(images)
    }

    fn steps(training_plan: &TrainingPlan) -> Vec<(Range<usize>, usize)> {
        let intervals =
            (1..=training_plan.intervals()).map(|number| training_plan.interval(number));
        intervals
            .map(|interval| (interval.steps, interval.steps_done))
            .collect()
    }

    #[test]
    fn an_epoch_is_a_row() {
        assert_eq!(
            steps(&training_plan("", 45)),
            [(0..5, 5), (5..10, 10), (10..15, 15)]
        );
        let halved = training_plan("accumulate = 2", 45);
        assert_eq!(steps(&halved), [(0..3, 3), (3..6, 6), (6..9, 9)]);
    }

    #[test]
    fn steps_are_logged_in_rows_of_their_own() {
        let every_4 = training_plan("steps = 10\nlog_every = 4", 45);
        assert_eq!(steps(&every_4), [(0..4, 4), (4..8, 8), (8..10, 10)]);
        assert_eq!(
            steps(&training_plan("steps = 7", 45)),
            [(0..5, 5), (5..7, 7)]
        );
        assert_eq!(every_4.passes(), 2.0);
    }

    #[test]
    fn stages_follow_each_other() {
        let two = training_plan("stages = [{ epochs = 2 }, { steps = 4 }]", 30);
        assert_eq!(steps(&two), [(0..3, 3), (3..6, 6), (0..3, 9), (3..4, 10)]);
        let third = two.interval(3);
        assert!(third.is_first);
        assert_eq!((third.phase.stage, third.phase.passes_before), (Some(1), 2));
    }
}
