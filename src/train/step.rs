//! The steps of one interval: gradients gathered, measured, clipped and taken.

use burn::module::AutodiffModule;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;

use crate::backend::{DeviceSums, TrainingBackend};
use crate::config::{Interval, Settings, Train, When};
use crate::models::{ModelSpec, Turn};
use crate::network::{NamedValues, Network};
use crate::optim::schedule::Rates;
use crate::optim::{DynOptimizer, clip};
use crate::record::EpochRow;

/// What training changes.
pub(super) struct Learner<B: TrainingBackend> {
    pub network: Network<B>,
    /// One, or one for each part of the model.
    pub optimizers: Vec<Box<dyn DynOptimizer<B, Network<B>>>>,
    /// The average of the weights; none before the first step, or where none is taken.
    pub average: Option<Network<B::InnerBackend>>,
}

impl<B: TrainingBackend> Learner<B> {
    /// The network that is evaluated and kept: the average, if one is taken.
    pub fn inference(&self) -> Network<B::InnerBackend> {
        match &self.average {
            Some(average) => average.clone(),
            None => self.network.valid(),
        }
    }

    /// With the weights changed by the optimizer with this number.
    fn step(mut self, optimizer: usize, rate: f64, gradients: GradientsParams) -> Self {
        self.network = self.optimizers[optimizer].step(rate, self.network, gradients);
        self
    }

    /// With the step in its average, if one is taken.
    fn averaged(mut self, train: &Train) -> Self {
        if let Some(average) = train.average.as_ref() {
            self.average = Some(average.after_step(self.average, &self.network));
        }
        self
    }
}

/// Takes the steps of one interval. Looks at nothing on the device before its end.
pub(super) struct Steps<'a, B: TrainingBackend> {
    train: &'a Train,
    model: &'a ModelSpec,
    /// One for each optimizer.
    rates: Vec<Rates>,
    /// Number of the next step, from 0 over all intervals of the phase.
    next: usize,
    /// Number of the interval's last step.
    last: usize,
    gathered: GradientsAccumulator<Network<B>>,
    /// Of the gradients' norms, and how many they are.
    norms: DeviceSums<B::InnerBackend>,
    taken: usize,
    /// Whether the gradients of the last step are read.
    reads_gradients: bool,
    /// Of the last step, before clipping.
    gradients: Vec<NamedValues>,
}

/// Results of the steps of an interval.
pub(super) struct Taken {
    /// Of the last step; of several optimizers the first part's.
    pub learning_rate: f64,
    /// Mean over the steps, before clipping; none if it is no finite number, or nothing is trained.
    pub gradient_norm: Option<f64>,
    /// Of the last step, before clipping; none where no histogram is drawn of them.
    pub gradients: Vec<NamedValues>,
}

impl<'a, B: TrainingBackend> Steps<'a, B> {
    /// Before the first step of an interval, after these epochs.
    pub fn new(settings: &'a Settings, interval: &Interval, rows: &[EpochRow]) -> Self {
        let (train, model) = (&settings.train, &settings.model);
        Steps {
            train,
            model,
            rates: train.rates(model.kind(), interval, rows),
            next: interval.steps.start,
            last: interval.steps.end - 1,
            gathered: GradientsAccumulator::new(),
            norms: DeviceSums::default(),
            taken: 0,
            reads_gradients: settings.record.histograms != When::Never,
            gradients: Vec::new(),
        }
    }

    /// Adds the gradients of the loss, `[1]`, of a batch or a part of one, which counts by its share of the step's images; of
    /// the weights that the turn changes.
    pub fn gather(&mut self, network: &Network<B>, loss: Tensor<B, 1>, share: f64, turn: Turn) {
        let loss = match share {
            1.0 => loss,
            _ => loss * share,
        };
        let gradients = match turn.part {
            None => GradientsParams::from_grads(loss.backward(), network),
            Some(part) => network.gradients_of_part(loss.backward(), part),
        };
        self.gathered.accumulate(network, gradients);
    }

    /// Changes the weights by the gathered gradients: one of the turns that make a step.
    pub fn turn(&mut self, learner: Learner<B>, turn: Turn) -> Learner<B> {
        let gradients = self.gathered.grads();
        let mut learner = self.change(learner, gradients, turn);
        learner.network = self.model.bounded(turn, learner.network, &self.train.loss);
        learner
    }

    /// Ends the step.
    pub fn end(&mut self, learner: Learner<B>) -> Learner<B> {
        self.next += 1;
        learner.averaged(self.train)
    }

    fn change(
        &mut self,
        learner: Learner<B>,
        mut gradients: GradientsParams,
        turn: Turn,
    ) -> Learner<B> {
        if self.next == self.last && self.reads_gradients {
            let values = learner.network.gradient_values(&gradients);
            self.gradients.extend(values);
        }
        if let Some(norm) = clip::norm::<B, _>(&learner.network, &gradients) {
            if let Some(clip) = self.train.clip.as_ref() {
                gradients = clip.apply::<B, _>(&learner.network, gradients, &norm);
            }
            self.taken += 1;
            self.norms.add(norm);
        }
        let optimizer = match self.rates.len() {
            1 => 0,
            _ => turn
                .part
                .expect("a model with several optimizers has parts"),
        };
        let rate = self.rates[optimizer].at(self.next);
        learner.step(optimizer, rate, gradients)
    }

    /// After the last step. Waits for the device.
    pub fn read(self) -> Taken {
        let mean = self.norms.read(1).map(|sums| sums[0] / self.taken as f64);
        Taken {
            learning_rate: self.rates[0].at(self.last),
            gradient_norm: mean.filter(|norm| norm.is_finite()),
            gradients: self.gradients,
        }
    }
}
