//! One run: the loop, evaluation, checkpoints; says what happens as events.
//!
//! What an epoch does depends on the run's settings, its seed and the epoch's number alone, so that a
//! run that goes on from a checkpoint ends with the same weights as one that never stopped. Knows
//! nothing of experiments, other runs or tables.

mod checkpoint;
mod evaluate;
mod set;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor};

use crate::backend::{Device, TrainingBackend, Work};
use crate::data::{Catalogue, Splits};
use crate::error::{Error, Kind, Problem, Result};
use crate::network::{NamedValues, Network, Passed, WeightFile};
use crate::objective::LossSpec;
use crate::optim::Optimiser;
use crate::record::{EpochRow, Event, Histogram, Measured, Reporter, RunFolder, Score};
use crate::rng::{Purpose, Seed};
use crate::spec::{Settings, Start};
pub use checkpoint::remove as remove_checkpoint;
use evaluate::{Tally, evaluate};
use set::{EvaluationSet, TrainingSet};

/// Input images that are shown of the first batch.
const PICTURES: usize = 16;

/// What a run needs.
pub struct Job<'a> {
    pub settings: &'a Settings,
    pub seed: u64,
    /// Where the run's files go; it exists.
    pub folder: &'a RunFolder,
    pub device: &'a Device,
    pub catalogue: &'a Catalogue,
    /// Looked at before every batch: set, it ends the run as interrupted.
    pub stop: &'a AtomicBool,
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
/// Leaves `epochs.csv`, `confusion.csv`, `weights.safetensors` and, with a validation set,
/// `best.safetensors` in the folder, and the checkpoint: whoever writes the run's result removes it
/// afterwards with [`remove_checkpoint`].
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
        let mut run = Run {
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
    network: Network<B>,
    optimiser: Box<dyn Optimiser<B, Network<B>>>,
    best: Option<Best<B>>,
    rows: Vec<EpochRow>,
}

/// The network of least validation loss so far.
struct Best<B: TrainingBackend> {
    /// From 1.
    epoch: usize,
    loss: f64,
    network: Network<B::InnerBackend>,
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
            network: first_weights(network, job.settings.start.as_ref())?,
            optimiser: job.settings.train.optimizer.build(),
            best: None,
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
    train: TrainingSet<B>,
    validation: Option<EvaluationSet<B::InnerBackend>>,
    test: EvaluationSet<B::InnerBackend>,
    classes: Vec<String>,
}

/// How the batches of an epoch ended.
enum Batches<B: TrainingBackend> {
    Interrupted,
    Over {
        network: Network<B>,
        score: Score,
        /// Of the last batch.
        gradients: Vec<NamedValues>,
    },
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
        let loss = self.job.settings.train.loss;
        let graph = state.network.graph(self.train.shape(), loss);
        self.reporter.hear(&Event::Graph(graph))?;
        let pictures = self.train.pictures(PICTURES);
        self.reporter.hear(&Event::Inputs(pictures))
    }

    fn epochs(mut self, mut state: State<B>) -> Result<Outcome> {
        for epoch in state.rows.len() + 1..=self.job.settings.train.epochs.get() {
            let start = Instant::now();
            let (network, optimiser) = (state.network, &mut *state.optimiser);
            let (score, gradients) = match self.batches(epoch, network, optimiser)? {
                Batches::Interrupted => return Ok(Outcome::Interrupted),
                Batches::Over {
                    network,
                    score,
                    gradients,
                } => {
                    state.network = network;
                    (score, gradients)
                }
            };
            let training = start.elapsed().as_secs_f64();
            let resting = state.network.valid();
            let loss = self.job.settings.train.loss;
            let validation = self
                .validation
                .as_ref()
                .map(|set| evaluate(&resting, set, loss).0);
            for (what, score) in [("training", Some(score)), ("validation", validation)] {
                if let Some(outcome) = score.and_then(|score| diverged(what, score, epoch)) {
                    return Ok(outcome);
                }
            }
            let row = EpochRow {
                epoch,
                train: score,
                validation,
                learning_rate: state.optimiser.learning_rate(),
                seconds: start.elapsed().as_secs_f64(),
                images_per_second: self.train.len() as f64 / training,
            };
            self.histograms(epoch, resting.values(), gradients)?;
            if let Some(Score { loss, .. }) = validation
                && state.best.as_ref().is_none_or(|best| loss < best.loss)
            {
                state.best = Some(Best {
                    epoch,
                    loss,
                    network: resting,
                });
            }
            state.rows.push(row.clone());
            // The checkpoint last: without it the next attempt does the epoch, and tells of it, again.
            self.job.folder.write_epochs(&state.rows)?;
            self.reporter.hear(&Event::Epoch(row))?;
            checkpoint::write(self.job, &state)?;
        }
        self.finish(state)
    }

    fn batches(
        &mut self,
        epoch: usize,
        mut network: Network<B>,
        optimiser: &mut dyn Optimiser<B, Network<B>>,
    ) -> Result<Batches<B>> {
        let seed = Seed(self.job.seed);
        B::seed(&self.device, seed.number(Purpose::Dropout, &[epoch as u64]));
        let loss = self.job.settings.train.loss;
        let order = self.train.order(epoch);
        let batches = order.batches();
        let mut tally = Tally::new();
        let mut last_gradients = Vec::new();
        for batch in 0..batches {
            if self.job.stop.load(Ordering::Relaxed) {
                return Ok(Batches::Interrupted);
            }
            let (images, labels) = self.train.batch(&order, batch);
            let passed = network.forward_training(images);
            let mean = loss.apply(passed.outputs.clone(), labels.clone());
            tally.add(
                mean.clone().inner(),
                passed.outputs.clone().inner(),
                labels.clone().inner(),
            );
            let total = with_extras(mean, passed, labels, loss);
            let gradients = GradientsParams::from_grads(total.backward(), &network);
            if batch + 1 == batches {
                last_gradients = network.gradient_values(&gradients);
            }
            network = optimiser.step(network, gradients);
            self.reporter.hear(&Event::Progress {
                epoch,
                batch: batch + 1,
                batches,
            })?;
        }
        Ok(Batches::Over {
            network,
            score: tally.read(),
            gradients: last_gradients,
        })
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
        let (folder, loss) = (self.job.folder, self.job.settings.train.loss);
        let last = state.network.valid();
        let (test, answers) = evaluate(&last, &self.test, loss);
        if let Some(outcome) = diverged("test", test, state.rows.len()) {
            return Ok(outcome);
        }
        last.save_weights(&folder.file("weights.safetensors"))?;
        let mut best = None;
        if let Some(kept) = &state.best {
            kept.network
                .save_weights(&folder.file("best.safetensors"))?;
            best = Some(evaluate(&kept.network, &self.test, loss).0);
        }
        let measured = Measured {
            test,
            best,
            best_epoch: state.best.map(|best| best.epoch),
            confusion: self.test.confusion(&answers, self.classes.len()),
            classes: self.classes,
            parameters: last.parameters(),
        };
        folder.write_confusion(&measured)?;
        self.reporter
            .hear(&Event::Finished(Box::new(measured.clone())))?;
        Ok(Outcome::Done(Box::new(measured)))
    }
}

/// The loss that is made small: the classifier's own, those of side classifiers, and the weights' size.
fn with_extras<B: TrainingBackend>(
    mean: Tensor<B, 1>,
    passed: Passed<B>,
    labels: Tensor<B, 1, Int>,
    loss: LossSpec,
) -> Tensor<B, 1> {
    let sides = passed
        .auxiliary
        .into_iter()
        .map(|(weight, scores)| loss.apply(scores, labels.clone()) * weight);
    sides
        .chain(passed.penalty)
        .fold(mean, |sum, part| sum + part)
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
