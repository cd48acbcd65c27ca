//! One run: the loop, evaluation, checkpoints; says what happens as events.
//!
//! What an epoch does depends on the run's settings, its seed and the epoch's number alone, so that a
//! run that goes on from a checkpoint ends with the same weights as one that never stopped. Knows
//! nothing of experiments or tables, and of other runs only what they left.

mod augmented;
mod checkpoint;
mod evaluate;
mod gallery;
mod generated;
mod images;
mod measured;
mod set;
mod step;
mod stopping;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::Module;
use serde::{Deserialize, Serialize};

use crate::backend::{Device, Kernels, TrainingBackend, Work, check_threads};
use crate::config::{Interval, Settings, TrainingPlan, WhenTested};
use crate::data::{Catalogue, Scale, Splits};
use crate::error::{Error, Flaw, Kind, Problem, Result};
use crate::models::{BatchMetrics, Criterion, MetricSums, Model};
use crate::network::{NamedValues, Network, Plan, WeightFile};
use crate::objective::Objective;
use crate::pictures::{self, TrainingPoint};
use crate::record::{
    BATCH_METRICS, EpochRow, Event, Histogram, LOSS, Measured, Reporter, RunFolder, Score,
};
use crate::rng::{Purpose, Seed};
use crate::shape::ImageShape;
pub use checkpoint::remove as remove_checkpoint;
use evaluate::evaluate;
pub use evaluate::{Evaluated, Evaluation};
use gallery::point;
pub use gallery::{Gallery, last_point};
pub use measured::STARTS;
use set::{EvaluationSet, Order, TrainingSet};
use step::{Learner, Steps, Taken};
use stopping::{BestWeights, best_epoch, epoch_to_restore, is_over};

/// Input images that are shown of the first batch.
const PICTURES: usize = 16;

/// What a run needs.
pub struct Job<'a> {
    /// What tells the run from all others: its id.
    pub id: &'a str,
    /// The run's settings, all resolved.
    pub settings: &'a Settings,
    /// The runs that it needs, in the order of [`Settings::needs`].
    pub earlier: &'a [EarlierRun],
    /// The seed of everything that is random in it.
    pub seed: u64,
    /// The SHA-256 that the file of weights must have which it starts from, if that is known.
    pub weights: Option<&'a str>,
    /// After this epoch it stops, and can be resumed.
    pub until: Option<usize>,
    /// Where the run's files go; it exists.
    pub folder: &'a RunFolder,
    /// What it computes on.
    pub device: &'a Device,
    /// Where its data comes from.
    pub catalogue: &'a Catalogue,
    /// Looked at before every batch: set, it ends the run as interrupted; after the epoch, where the checkpoint has not
    /// all epochs before.
    pub stop: &'a AtomicBool,
}

/// A run that was trained before this one, which needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlierRun {
    /// Where this run's settings name it: `start.run`.
    pub key: String,
    /// What it left.
    pub folder: PathBuf,
    /// The settings that it was trained with.
    pub settings: Settings,
}

impl EarlierRun {
    /// Its model with the final weights.
    ///
    /// # Errors
    /// They, or its settings, cannot be read, or its data is missing.
    fn load(&self, catalogue: &Catalogue, device: &Device) -> Result<SourceModel> {
        let (facts, _) = catalogue.check(&self.settings.data)?;
        let classes = facts.classes.len();
        let blueprint = self.settings.blueprint(facts.shape, classes, facts.test);
        let settings = self.settings.clone();
        let settings = settings.as_trained(&RunFolder::new(&self.folder))?;
        Ok(SourceModel {
            model: blueprint.load(&self.folder.join("weights.safetensors"), device)?,
            scale: settings.data.scale,
        })
    }
}

/// A trained model that another run needs, and what black and white are to it.
struct SourceModel {
    model: Box<dyn Model>,
    scale: Scale,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Trained and measured.
    Done(Box<Measured>),
    /// A loss became NaN or infinite in this epoch, from 1: of training or on the validation set, of which no row is written, or
    /// on the test set with the final weights.
    Diverged {
        /// From 1.
        epoch: usize,
        /// What is not finite, in a line.
        reason: String,
    },
    /// Stopped from outside; the next attempt goes on after the last whole epoch.
    Interrupted,
    /// Stopped after the epoch that the job names; the next attempt goes on after it.
    Paused,
}

/// Trains a run, from its checkpoint if its folder holds a sound one.
///
/// Leaves `epochs.csv`, `confusion.csv`, the folder `pictures`, `weights.safetensors`, `best.safetensors` where the best epoch
/// is known, and `last.safetensors` where early stopping brought back the weights of an epoch before
/// the last; and the checkpoint: what writes the run's result removes it afterwards with
/// [`remove_checkpoint`].
///
/// # Errors
/// The data or a run that is needed is missing or damaged, the folder cannot be written, or the reporter gives
/// an error.
pub fn train(job: &Job, reporter: &mut dyn Reporter) -> Result<Outcome> {
    let mut splits = job.catalogue.load(&job.settings.data, Seed(job.seed))?;
    let real = splits.train.len();
    let measured = job.settings.measured(&splits);
    if measured != *job.settings {
        measured.write(job.folder)?;
    }
    let job = &Job {
        settings: &measured,
        ..*job
    };
    generated::add(job, &mut splits)?;
    let device = job.device.with_precision(job.settings.train.precision);
    let outcome = device.run(Training {
        job,
        splits,
        real,
        reporter,
    })?;
    device.free_memory();
    Ok(outcome)
}

struct Training<'a> {
    job: &'a Job<'a>,
    splits: Splits,
    /// Training images that are not generated: the first ones.
    real: usize,
    reporter: &'a mut dyn Reporter,
}

impl Work for Training<'_> {
    type Output = Result<Outcome>;

    fn run<B: TrainingBackend>(self, device: B::Device) -> Result<Outcome> {
        let Training {
            job,
            splits,
            real,
            reporter,
        } = self;
        let classes = splits.class_names.len();
        let whole = sound_plan(job.settings, splits.train.shape, classes)?;
        let fresh = TrainingState::<B>::fresh(job, whole.clone(), classes, &device)?;
        let counts = splits.train.counts(classes);
        let gallery = Gallery::of(job.settings, &splits);
        let settings = job.settings;
        let (loss, shape) = (&settings.train.loss, splits.train.shape);
        let (scale, measured) = (&settings.data.scale, settings.evaluation_batch(&whole));
        let mut run = Run {
            criterion: Criterion {
                objective: Objective::new(loss, &counts, &device),
                images: shape,
            },
            measured: Criterion {
                objective: Objective::new(loss, &counts, &device),
                images: shape,
            },
            train: TrainingSet::new(job, splits.train, &device)?,
            validation: splits
                .validation
                .map(|held| EvaluationSet::new(held, scale, measured, &device))
                .transpose()?,
            test: EvaluationSet::new(splits.test, scale, measured, &device)?,
            classes: splits.class_names,
            micro_batch: settings.micro_batch(&whole, job.device.is_cpu()),
            whole,
            real,
            gallery,
            job,
            reporter,
            device,
            kept: 0,
        };
        let training_plan = settings.train.training_plan(run.train.len());
        let mut state = checkpoint::resume(job, fresh, &training_plan, &run.device);
        if let Some(stage) = stage_after(&training_plan, state.rows.len()) {
            state.learner = run.staged(state.learner, stage);
        }
        run.kept = state.rows.len();
        run.start(&state, &training_plan)?;
        run.intervals(state, &training_plan)
    }
}

/// The plan of a network that nothing is wrong with.
///
/// # Errors
/// Something is; the run's plan rules that out.
fn sound_plan(settings: &Settings, images: ImageShape, classes: usize) -> Result<Plan> {
    let (plan, flaws) = settings.network(images, classes);
    let problem = |flaw: Flaw| Problem::new(flaw.message).maybe_hint(flaw.hint);
    match flaws.is_empty() {
        true => Ok(plan),
        false => {
            let problems = flaws.into_iter().map(problem).collect();
            Err(Error::new(Kind::Usage, problems))
        }
    }
}

/// The stage that the last of `intervals` intervals belonged to, from 0.
fn stage_after(training_plan: &TrainingPlan, intervals: usize) -> Option<usize> {
    match intervals {
        0 => None,
        last => training_plan.interval(last).phase.stage,
    }
}

/// State of a run after some epochs: what a checkpoint holds.
struct TrainingState<B: TrainingBackend> {
    learner: Learner<B>,
    best_weights: BestWeights<B::InnerBackend>,
    rows: Vec<EpochRow>,
}

impl<B: TrainingBackend> TrainingState<B> {
    /// Before the first epoch.
    fn fresh(job: &Job, plan: Plan, classes: usize, device: &B::Device) -> Result<Self> {
        let network = Network::build(plan, classes, Seed(job.seed), device);
        let settings = job.settings;
        Ok(TrainingState {
            learner: Learner {
                network: first_weights(network, job)?,
                optimizers: settings.train.optimizer.build(settings.model.kind()),
                average: None,
            },
            best_weights: BestWeights::none(),
            rows: Vec::new(),
        })
    }
}

/// The network with what it takes from a file of weights; whoever gave the job has seen to it that a run
/// that it starts from is such a file.
fn first_weights<B: TrainingBackend>(network: Network<B>, job: &Job) -> Result<Network<B>> {
    let start = job.settings.start.as_ref();
    let Some((start, path)) = start.and_then(|start| Some((start, start.weights.as_ref()?))) else {
        return Ok(network);
    };
    let file = WeightFile::read(path, start.naming())?;
    if job.weights.is_some_and(|planned| planned != file.sha256()) {
        let path = path.display();
        let message = format!("the weights `{path}` have changed since the run was planned");
        let hint = "`burnlab run` again starts from them as they are";
        return Err(Error::data(Problem::new(message).hint(hint)));
    }
    network.take_weights(&file, &|layer| start.takes(layer))
}

/// A run at work.
struct Run<'a, B: TrainingBackend> {
    job: &'a Job<'a>,
    reporter: &'a mut dyn Reporter,
    device: B::Device,
    criterion: Criterion<B>,
    /// The same without gradients.
    measured: Criterion<B::InnerBackend>,
    train: TrainingSet<B>,
    validation: Option<EvaluationSet<B::InnerBackend>>,
    test: EvaluationSet<B::InnerBackend>,
    classes: Vec<String>,
    /// The network, whatever stages leave out of it.
    whole: Plan,
    /// Training images that are not generated: the first ones.
    real: usize,
    /// What pictures show, if there are any.
    gallery: Option<Gallery>,
    /// Epochs that the checkpoint has.
    kept: usize,
    /// Images whose gradients are made at a time.
    micro_batch: usize,
}

/// Results of the batches of an epoch.
struct Batches<B: TrainingBackend> {
    learner: Learner<B>,
    score: Score,
    taken: Taken,
    /// How many were trained on.
    images: usize,
}

impl<B: TrainingBackend> Run<'_, B> {
    fn start(&mut self, state: &TrainingState<B>, training_plan: &TrainingPlan) -> Result<()> {
        self.reporter.on_event(&Event::Started {
            epochs: training_plan.intervals(),
            epochs_done: state.rows.len(),
        })?;
        if !state.rows.is_empty() {
            return Ok(());
        }
        pictures::clear(self.job.folder)?;
        let settings = self.job.settings;
        let (shape, classes) = (self.train.shape(), self.classes.len());
        let model = settings.blueprint_of(self.whole.clone(), shape, classes, self.test.len());
        let graph = model
            .facts
            .graph(&state.learner.network, settings.train.loss.kind());
        self.reporter.on_event(&Event::Graph(graph))?;
        let pictures = self.train.pictures(PICTURES);
        self.reporter.on_event(&Event::Inputs(pictures))
    }

    fn intervals(
        mut self,
        mut state: TrainingState<B>,
        training_plan: &TrainingPlan,
    ) -> Result<Outcome> {
        let device = self.job.device;
        while !is_over(&self.job.settings.train, training_plan, &state.rows) {
            if self.is_at_pause(state.rows.len()) {
                return Ok(Outcome::Paused);
            }
            let next = device.with_threads(|| self.interval(state, training_plan));
            state = match next? {
                ControlFlow::Continue(state) => state,
                ControlFlow::Break(outcome) => return Ok(outcome),
            };
        }
        device.with_threads(|| self.finish(state, training_plan))
    }

    fn is_at_pause(&self, epochs: usize) -> bool {
        self.job.until.is_some_and(|until| epochs >= until)
    }

    /// Trains one interval, measures and records it; how the run ended, if it did.
    fn interval(
        &mut self,
        mut state: TrainingState<B>,
        training_plan: &TrainingPlan,
    ) -> Result<ControlFlow<Outcome, TrainingState<B>>> {
        let settings = &self.job.settings.train;
        let interval = training_plan.interval(state.rows.len() + 1);
        if let (Some(stage), true) = (interval.phase.stage, interval.is_first) {
            state.learner = self.staged(state.learner, stage);
            let kind = self.job.settings.model.kind();
            state.learner.optimizers = settings.optimizers_of(Some(stage)).build(kind);
        }
        let start = Instant::now();
        let Some(batches) = self.batches(&interval, state.learner, &state.rows)? else {
            return Ok(ControlFlow::Break(Outcome::Interrupted));
        };
        let Batches {
            learner,
            score,
            taken,
            images,
        } = batches;
        state.learner = learner;
        let training = start.elapsed().as_secs_f64();
        let inference = state.learner.inference();
        let epoch = interval.number;
        let place = settings.point(training_plan, epoch);
        let validation = self
            .validation
            .as_ref()
            .map(|set| self.measure(&inference, set).0);
        check_threads()?;
        for (what, score) in [("training", Some(score)), ("validation", validation)] {
            if let Some(outcome) = score.and_then(|score| diverged(what, score, (epoch, &place))) {
                return Ok(ControlFlow::Break(outcome));
            }
        }
        let record = &self.job.settings.record;
        let test =
            (record.test == WhenTested::EveryEpoch).then(|| self.measure(&inference, &self.test).0);
        let row = EpochRow {
            epoch,
            step: interval.steps_done,
            stage: interval.phase.stage.map(|stage| settings.stage_name(stage)),
            train: score,
            validation,
            test,
            learning_rate: taken.learning_rate,
            gradient_norm: taken.gradient_norm,
            seconds: start.elapsed().as_secs_f64(),
            images_per_second: rate(images, training),
        };
        state.rows.push(row.clone());
        let is_last = is_over(settings, training_plan, &state.rows);
        if record.histograms.is_due(is_last) {
            self.histograms(epoch, inference.values(), taken.gradients)?;
        }
        // The last pictures are of the network that is kept.
        if self.job.settings.pictures.is_due(epoch, false) && !is_last {
            self.draw(&inference, point(self.job.settings, &row, false))?;
        }
        state
            .best_weights
            .consider(settings, &state.rows, inference);
        // The checkpoint last: without it the next attempt does the epoch, and reports it, again.
        self.job.folder.write_epochs(&state.rows)?;
        self.reporter.on_event(&Event::Epoch(Box::new(row)))?;
        let is_due = epoch.is_multiple_of(record.checkpoint_every.get()) || self.is_at_pause(epoch);
        if is_last || is_due || self.job.stop.load(Ordering::Relaxed) {
            checkpoint::write(self.job, &state)?;
            self.kept = epoch;
        }
        Ok(ControlFlow::Continue(state))
    }

    /// The learner with the layers of a stage, from 0, frozen or not; weights and optimizer stay.
    fn staged(&self, learner: Learner<B>, stage: usize) -> Learner<B> {
        let (plan, _) = self.job.settings.train.stages[stage].plan(&self.whole);
        let classes = self.classes.len();
        let average = learner.average;
        Learner {
            network: replanned(learner.network, plan.clone(), classes, &self.device),
            average: average.map(|average| replanned(average, plan, classes, &self.device)),
            ..learner
        }
    }

    fn measure(
        &self,
        network: &Network<B::InnerBackend>,
        set: &EvaluationSet<B::InnerBackend>,
    ) -> (Score, Vec<usize>) {
        // The same every time: the same weights have one score, whenever they are measured.
        let chance = Seed(self.job.seed).chance(Purpose::Measure, &[0]);
        evaluate(
            network,
            set,
            &self.job.settings.model,
            &self.measured,
            chance,
        )
    }

    /// Trains one interval; `None` if it was interrupted.
    fn batches(
        &mut self,
        interval: &Interval,
        mut learner: Learner<B>,
        rows: &[EpochRow],
    ) -> Result<Option<Batches<B>>> {
        let (settings, model) = (&self.job.settings.train, &self.job.settings.model);
        let (seed, epoch) = (Seed(self.job.seed), interval.number);
        let (span, accumulate) = (interval.phase.span, settings.accumulate.get());
        let mut order = self.train.order(pass_of(interval, interval.steps.start));
        let batches_of = |step: usize, order: &Order<B>| {
            let first = step % span.epoch * accumulate;
            first..(first + accumulate).min(order.batches())
        };
        let in_interval = interval
            .steps
            .clone()
            .map(|step| batches_of(step, &order).len());
        let (mut done, batches): (usize, usize) = (0, in_interval.sum());
        let (mut sums, mut images) = (MetricSums::default(), 0);
        let mut steps = Steps::new(self.job.settings, interval, rows);
        for step in interval.steps.clone() {
            if step % span.epoch == 0 && step > interval.steps.start {
                order = self.train.order(pass_of(interval, step));
            }
            for number in batches_of(step, &order) {
                // Where the checkpoint lags behind, the epoch is brought to its end, and kept.
                if self.job.stop.load(Ordering::Relaxed) && self.kept + 1 == epoch {
                    return Ok(None);
                }
                check_threads()?;
                let place = [pass_of(interval, step) as u64, number as u64];
                let chance = seed.chance(Purpose::Dropout, &place);
                let batch = self.train.batch(&mut order, number, chance);
                let size = batch.size();
                images += size;
                let share = order.share(number, accumulate);
                let takes = order.ends_step(number, accumulate);
                let mut parts = batch.parts(self.micro_batch).peekable();
                while let Some(part) = parts.next() {
                    let mut metrics = BatchMetrics::new(part.size());
                    let share = share * part.size() as f64 / size as f64;
                    let takes = takes && parts.peek().is_none();
                    for &turn in model.turns(step) {
                        let network = &learner.network;
                        let loss = model.loss(turn, network, &part, &self.criterion, &mut metrics);
                        steps.gather(network, loss, share, turn);
                        if takes {
                            learner = steps.turn(learner, turn);
                        }
                    }
                    sums.add(metrics.inner());
                }
                if takes {
                    learner = steps.end(learner);
                }
                done += 1;
                self.reporter.on_event(&Event::Progress {
                    epoch,
                    batch: done,
                    batches,
                })?;
            }
        }
        Ok(Some(Batches {
            learner,
            score: sums.read(),
            taken: steps.read(),
            images,
        }))
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
            self.reporter.on_event(&Event::Histogram {
                name,
                epoch,
                histogram: Histogram(values),
            })?;
        }
        Ok(())
    }

    fn draw(&mut self, network: &Network<B::InnerBackend>, point: TrainingPoint) -> Result<()> {
        let Some(gallery) = &self.gallery else {
            return Ok(());
        };
        for event in gallery.draw(self.job, network, &self.device, point)? {
            self.reporter.on_event(&event)?;
        }
        Ok(())
    }

    /// Measures the trained network, draws it and leaves its weights.
    fn finish(mut self, state: TrainingState<B>, training_plan: &TrainingPlan) -> Result<Outcome> {
        let (folder, settings) = (self.job.folder, &self.job.settings.train);
        let BestWeights { best, to_restore } = state.best_weights;
        let last = state.learner.inference();
        let restored = epoch_to_restore(settings, &state.rows);
        let restored = restored.filter(|&epoch| epoch < state.rows.len());
        if restored.is_some() {
            last.save_weights(&folder.file("last.safetensors"))?;
        }
        let network = to_restore.unwrap_or(last);
        let (test, answers) = self.measure(&network, &self.test);
        check_threads()?;
        let epochs = state.rows.len();
        let place = |epoch: Option<usize>| settings.point(training_plan, epoch.unwrap_or(epochs));
        if let Some(outcome) = diverged("test", test, (epochs, &place(restored))) {
            return Ok(outcome);
        }
        let of_best = best.as_ref().map(|best| self.measure(best, &self.test).0);
        check_threads()?;
        let best_epoch = best_epoch(settings, &state.rows);
        let place_of_best = place(best_epoch);
        let of_diverged = |score| diverged("best epoch's test", score, (epochs, &place_of_best));
        if let Some(outcome) = of_best.and_then(of_diverged) {
            return Ok(outcome);
        }
        network.save_weights(&folder.file("weights.safetensors"))?;
        if let Some(best) = &best {
            best.save_weights(&folder.file("best.safetensors"))?;
        }
        if let Some(point) = last_point(self.job.settings, &state.rows, None) {
            self.draw(&network, point)?;
        }
        let extra = self.measure_more(&network)?.numbers;
        // What the device could not do is wrong in silence.
        check_threads()?;
        let measured = Measured {
            test,
            best: of_best,
            best_epoch,
            stopped_early: state.rows.len() < training_plan.intervals(),
            restored: restored.map(|epoch| Box::new(state.rows[epoch - 1].clone())),
            confusion: match answers.is_empty() {
                true => Vec::new(),
                false => self.test.confusion(&answers, self.classes.len()),
            },
            classes: self.classes,
            parameters: network.parameters(),
            extra,
        };
        if !measured.confusion.is_empty() {
            folder.write_confusion(&measured)?;
        }
        self.reporter
            .on_event(&Event::Finished(Box::new(measured.clone())))?;
        Ok(Outcome::Done(Box::new(measured)))
    }
}

/// The pass over the training images, from 1, that a step of the interval belongs to.
fn pass_of(interval: &Interval, step: usize) -> usize {
    interval.phase.passes_before + step / interval.phase.span.epoch + 1
}

/// A network with the weights so far, of which the plan leaves out or freezes other layers.
fn replanned<B: Kernels>(
    network: Network<B>,
    plan: Plan,
    classes: usize,
    device: &B::Device,
) -> Network<B> {
    Network::build(plan, classes, Seed(0), device).load_record(network.into_record())
}

/// Images a second; `None` where the clock is too coarse to tell.
fn rate(images: usize, seconds: f64) -> Option<f64> {
    let rate = images as f64 / seconds;
    rate.is_finite().then_some(rate)
}

/// The outcome of a run with such a score, if one of its metrics is no number to go on with: the loss, if
/// it is that, before all others.
///
/// `epoch` is the last one that was trained, `place` where the score is from.
fn diverged(what: &str, score: Score, (epoch, place): (usize, &str)) -> Option<Outcome> {
    let others = BATCH_METRICS.iter().copied();
    let (metric, value) = std::iter::once(&LOSS)
        .chain(others)
        .filter_map(|metric| Some((&metric.metric, (metric.of)(&score)?)))
        .find(|(_, value)| !value.is_finite())?;
    let state = match value.is_nan() {
        true => "NaN",
        false => "infinite",
    };
    let name = metric.name.replace('_', " ");
    let reason = format!("the {what} {name} became {state} in {place}");
    Some(Outcome::Diverged { epoch, reason })
}

#[cfg(test)]
mod numbers {
    use super::*;

    #[test]
    fn a_metric_that_is_no_number_is_reported_as_divergence() {
        let sound = Score {
            loss: 0.5,
            accuracy: Some(1.0),
            ..Score::default()
        };
        assert_eq!(diverged("test", sound, (3, "epoch 3")), None);
        let reason = |score| match diverged("test", score, (3, "epoch 3")) {
            Some(Outcome::Diverged { epoch: 3, reason }) => reason,
            other => panic!("{other:?}"),
        };
        let loss = Score {
            loss: f64::NAN,
            ..sound
        };
        assert_eq!(reason(loss), "the test loss became NaN in epoch 3");
        let kl = Score {
            kl: Some(f64::INFINITY),
            ..sound
        };
        assert_eq!(reason(kl), "the test kl became infinite in epoch 3");
    }

    #[test]
    fn an_epoch_of_no_time_has_no_rate() {
        assert_eq!(rate(100, 0.5), Some(200.0));
        assert_eq!(rate(100, 0.0), None);
        assert_eq!(rate(0, 0.0), None);
    }
}
