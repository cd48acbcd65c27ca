//! One run: the loop, evaluation, checkpoints; says what happens as events.
//!
//! What an epoch does depends on the run's settings, its seed and the epoch's number alone, so that a
//! run that goes on from a checkpoint ends with the same weights as one that never stopped. Knows
//! nothing of experiments or tables, and of other runs only what they left.

mod checkpoint;
mod evaluate;
mod generated;
mod set;
mod step;
mod stopping;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::backend::{Device, TrainingBackend, Work};
use crate::data::{Catalogue, Splits};
use crate::error::{Error, Kind, Problem, Result};
use crate::network::{NamedValues, Network, WeightFile};
use crate::objective::{Objective, Targets};
use crate::record::{EpochRow, Event, Extra, Histogram, Measured, Reporter, RunFolder, Score};
use crate::rng::{Purpose, Seed};
use crate::spec::{Settings, Start};
pub use checkpoint::remove as remove_checkpoint;
use evaluate::{Tally, evaluate};
use set::{Batch, EvaluationSet, TrainingSet};
use step::{Learner, Steps, Taken};
use stopping::{Kept, best_epoch, epoch_to_restore, is_over};

/// Input images that are shown of the first batch.
const PICTURES: usize = 16;

/// What a run needs.
pub struct Job<'a> {
    pub settings: &'a Settings,
    /// The runs that it needs, in the order of [`Settings::needs`].
    pub earlier: &'a [EarlierRun],
    pub seed: u64,
    /// Where the run's files go; it exists.
    pub folder: &'a RunFolder,
    pub device: &'a Device,
    pub catalogue: &'a Catalogue,
    /// Looked at before every batch: set, it ends the run as interrupted.
    pub stop: &'a AtomicBool,
}

/// A run that was trained before this one, which needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlierRun {
    /// Where this run's settings name it: `start.run`.
    pub key: String,
    /// What it left.
    pub folder: PathBuf,
    pub settings: Settings,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done(Box<Measured>),
    /// A loss became NaN or infinite in this epoch, from 1, of which no row is written.
    Diverged {
        epoch: usize,
        reason: String,
    },
    /// Stopped from outside; the next attempt goes on after the last whole epoch.
    Interrupted,
}

/// Trains a run, from its checkpoint if its folder holds a sound one.
///
/// Leaves `epochs.csv`, `confusion.csv`, `weights.safetensors`, `best.safetensors` where the best epoch
/// is known, and `last.safetensors` where early stopping brought back the weights of an epoch before
/// the last; and the checkpoint: whoever writes the run's result removes it afterwards with
/// [`remove_checkpoint`].
///
/// # Errors
/// The data is missing or damaged, the folder cannot be written, or the reporter gives an error.
pub fn train(job: &Job, reporter: &mut dyn Reporter) -> Result<Outcome> {
    let splits = job.catalogue.load(&job.settings.data, Seed(job.seed))?;
    job.device.run(Training {
        job,
        splits,
        reporter,
    })
}

struct Training<'a> {
    job: &'a Job<'a>,
    splits: Splits,
    reporter: &'a mut dyn Reporter,
}

impl Work for Training<'_> {
    type Output = Result<Outcome>;

    fn run<B: TrainingBackend>(self, device: B::Device) -> Result<Outcome> {
        let Training {
            job,
            splits,
            reporter,
        } = self;
        let fresh = State::<B>::fresh(job, &splits, &device)?;
        let counts = splits.train.counts(splits.class_names.len());
        let loss = &job.settings.train.loss;
        let mut run = Run {
            objective: Objective::new(loss, &counts, &device),
            measure: Objective::new(loss, &counts, &device),
            train: TrainingSet::new(job, splits.train, &device)?,
            validation: splits
                .validation
                .map(|held| EvaluationSet::new(held, job.settings.data.scale, &device))
                .transpose()?,
            test: EvaluationSet::new(splits.test, job.settings.data.scale, &device)?,
            classes: splits.class_names,
            job,
            reporter,
            device,
        };
        let state = checkpoint::resume(job, fresh, &run.device);
        run.start(&state)?;
        run.epochs(state)
    }
}

/// What a run has come to after some epochs: what a checkpoint holds.
struct State<B: TrainingBackend> {
    learner: Learner<B>,
    kept: Kept<B::InnerBackend>,
    rows: Vec<EpochRow>,
}

impl<B: TrainingBackend> State<B> {
    /// Before the first epoch.
    fn fresh(job: &Job, splits: &Splits, device: &B::Device) -> Result<Self> {
        let classes = splits.class_names.len();
        let (plan, flaws) = job.settings.network(splits.train.shape, classes);
        if !flaws.is_empty() {
            let problem =
                |flaw: crate::error::Flaw| Problem::new(flaw.message).maybe_hint(flaw.hint);
            let problems = flaws.into_iter().map(problem).collect();
            return Err(Error::new(Kind::Usage, problems));
        }
        let network = Network::build(plan, classes, Seed(job.seed), device);
        Ok(State {
            learner: Learner {
                network: first_weights(network, job.settings.start.as_ref())?,
                optimiser: job.settings.train.optimizer.build(),
                average: None,
            },
            kept: Kept::none(),
            rows: Vec::new(),
        })
    }
}

/// The network with what it takes from a file of weights; whoever gave the job has seen to it that a run
/// that it starts from is such a file.
fn first_weights<B: TrainingBackend>(
    network: Network<B>,
    start: Option<&Start>,
) -> Result<Network<B>> {
    let Some((start, path)) = start.and_then(|start| Some((start, start.weights.as_ref()?))) else {
        return Ok(network);
    };
    let file = WeightFile::read(path, start.layout)?;
    network.take_weights(&file, &|layer| start.takes(layer))
}

/// A run at work.
struct Run<'a, B: TrainingBackend> {
    job: &'a Job<'a>,
    reporter: &'a mut dyn Reporter,
    device: B::Device,
    /// What training makes small, and the same without gradients.
    objective: Objective<B>,
    measure: Objective<B::InnerBackend>,
    train: TrainingSet<B>,
    validation: Option<EvaluationSet<B::InnerBackend>>,
    test: EvaluationSet<B::InnerBackend>,
    classes: Vec<String>,
}

/// What the batches of an epoch came to.
struct Batches<B: TrainingBackend> {
    learner: Learner<B>,
    score: Score,
    taken: Taken,
}

impl<B: TrainingBackend> Run<'_, B> {
    fn start(&mut self, state: &State<B>) -> Result<()> {
        self.reporter.hear(&Event::Started {
            epochs: self.job.settings.train.epochs.get(),
            epochs_done: state.rows.len(),
        })?;
        if !state.rows.is_empty() {
            return Ok(());
        }
        let loss = self.job.settings.train.loss.spec();
        let graph = state.learner.network.graph(self.train.shape(), loss);
        self.reporter.hear(&Event::Graph(graph))?;
        let pictures = self.train.pictures(PICTURES);
        self.reporter.hear(&Event::Inputs(pictures))
    }

    fn epochs(mut self, mut state: State<B>) -> Result<Outcome> {
        let settings = &self.job.settings.train;
        while !is_over(settings, &state.rows) {
            let epoch = state.rows.len() + 1;
            let start = Instant::now();
            let Some(batches) = self.batches(epoch, state.learner)? else {
                return Ok(Outcome::Interrupted);
            };
            let Batches {
                learner,
                score,
                taken,
            } = batches;
            state.learner = learner;
            let training = start.elapsed().as_secs_f64();
            let resting = state.learner.resting();
            let validation = self
                .validation
                .as_ref()
                .map(|set| evaluate(&resting, set, &self.measure).0);
            for (what, score) in [("training", Some(score)), ("validation", validation)] {
                if let Some(outcome) = score.and_then(|score| diverged(what, score, epoch)) {
                    return Ok(outcome);
                }
            }
            let row = EpochRow {
                epoch,
                train: score,
                validation,
                learning_rate: taken.learning_rate,
                gradient_norm: taken.gradient_norm,
                seconds: start.elapsed().as_secs_f64(),
                images_per_second: self.train.len() as f64 / training,
            };
            self.histograms(epoch, resting.values(), taken.gradients)?;
            state.rows.push(row.clone());
            state.kept.consider(settings, &state.rows, resting);
            // The checkpoint last: without it the next attempt does the epoch, and tells of it, again.
            self.job.folder.write_epochs(&state.rows)?;
            self.reporter.hear(&Event::Epoch(row))?;
            checkpoint::write(self.job, &state)?;
        }
        self.finish(state)
    }

    /// Trains one epoch; `None` if it was interrupted.
    fn batches(&mut self, epoch: usize, mut learner: Learner<B>) -> Result<Option<Batches<B>>> {
        let settings = &self.job.settings.train;
        let seed = Seed(self.job.seed);
        B::seed(&self.device, seed.number(Purpose::Dropout, &[epoch as u64]));
        let order = self.train.order(epoch);
        let (batches, accumulate) = (order.batches(), settings.accumulate.get());
        let mut tally = Tally::new();
        let mut steps = Steps::new(settings, self.train.len(), epoch);
        for batch in 0..batches {
            if self.job.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let Batch { images, targets } = self.train.batch(&order, batch);
            let (mean, total, outputs) = self.loss(&learner.network, images, &targets);
            let weight = self.objective.weight(&targets).inner();
            let told = mean.clone().inner();
            tally.add(told, weight, outputs.inner(), &targets.inner());
            steps.gather(&learner.network, total, order.share(batch, accumulate));
            if order.ends_step(batch, accumulate) {
                learner = steps.take(learner);
            }
            self.reporter.hear(&Event::Progress {
                epoch,
                batch: batch + 1,
                batches,
            })?;
        }
        Ok(Some(Batches {
            learner,
            score: tally.read(),
            taken: steps.read(),
        }))
    }

    /// The mean loss of a batch, `[1]`; that with side classifiers and penalties, `[1]`, which is made
    /// small; and the network's outputs, `[batch, classes]`.
    fn loss(
        &self,
        network: &Network<B>,
        images: Tensor<B, 4>,
        targets: &Targets<B>,
    ) -> (Tensor<B, 1>, Tensor<B, 1>, Tensor<B, 2>) {
        let passed = network.forward_training(images);
        let outputs = passed.outputs.clone();
        let mean = self.objective.mean(outputs.clone(), targets);
        let total = passed.total_loss(mean.clone(), |scores| self.objective.mean(scores, targets));
        (mean, total, outputs)
    }

    fn histograms(
        &mut self,
        epoch: usize,
        weights: Vec<NamedValues>,
        gradients: Vec<NamedValues>,
    ) -> Result<()> {
        let gradients = gradients
            .into_iter()
            .map(|(name, values)| (format!("{name}/gradient"), values));
        for (name, values) in weights.into_iter().chain(gradients) {
            self.reporter.hear(&Event::Histogram {
                name,
                epoch,
                histogram: Histogram(values),
            })?;
        }
        Ok(())
    }

    /// Measures the trained network and leaves its weights.
    fn finish(self, state: State<B>) -> Result<Outcome> {
        let (folder, settings) = (self.job.folder, &self.job.settings.train);
        let Kept { best, to_restore } = state.kept;
        let last = state.learner.resting();
        if epoch_to_restore(settings, &state.rows).is_some_and(|epoch| epoch < state.rows.len()) {
            last.save_weights(&folder.file("last.safetensors"))?;
        }
        let network = to_restore.unwrap_or(last);
        let (test, answers) = evaluate(&network, &self.test, &self.measure);
        if let Some(outcome) = diverged("test", test, state.rows.len()) {
            return Ok(outcome);
        }
        network.save_weights(&folder.file("weights.safetensors"))?;
        if let Some(best) = &best {
            best.save_weights(&folder.file("best.safetensors"))?;
        }
        let measured = Measured {
            test,
            best: best.map(|best| evaluate(&best, &self.test, &self.measure).0),
            best_epoch: best_epoch(settings, &state.rows),
            stopped_early: state.rows.len() < settings.epochs.get(),
            confusion: self.test.confusion(&answers, self.classes.len()),
            classes: self.classes,
            parameters: network.parameters(),
            extra: Extra::default(),
        };
        folder.write_confusion(&measured)?;
        self.reporter
            .hear(&Event::Finished(Box::new(measured.clone())))?;
        Ok(Outcome::Done(Box::new(measured)))
    }
}

/// The outcome of a run with such a loss, if it is no number to go on with.
fn diverged(what: &str, score: Score, epoch: usize) -> Option<Outcome> {
    let state = match score.loss {
        loss if loss.is_finite() => return None,
        loss if loss.is_nan() => "NaN",
        _ => "infinite",
    };
    let reason = format!("the {what} loss became {state} in epoch {epoch}");
    Some(Outcome::Diverged { epoch, reason })
}
