//! Images that are worked on at a time: the parts of a batch in training, and the batches of inference.

use super::Settings;
use crate::error::Flaw;
use crate::network::Plan;
use crate::value::Positive;

impl Settings {
    /// Images whose gradients a step on the CPU, or on another device, makes at a time with the planned network.
    pub fn micro_batch(&self, plan: &Plan, on_cpu: bool) -> usize {
        let batch = self.train.batch_size.get();
        match self.train.micro_batch_size.0 {
            Some(size) => size.get().min(batch),
            None if on_cpu && self.takes_micro_batches(plan) => {
                plan.micro_batch(batch, self.model.walks())
            }
            None => batch,
        }
    }

    /// Values of one image that a step of training with the planned network keeps.
    pub fn values_in_training(&self, plan: &Plan) -> usize {
        plan.values_in_training().saturating_mul(self.model.walks())
    }

    /// Images that are led through the planned network at a time when it is measured, drawn or asked, on any device.
    pub fn evaluation_batch(&self, plan: &Plan) -> usize {
        let usual = || plan.evaluation_batch(self.micro_batch(plan, true));
        let said = self.train.evaluation_batch_size.0;
        said.map_or_else(usual, Positive::get)
    }

    /// Whether gradients of parts of a batch, added up, are those of the batch.
    pub fn takes_micro_batches(&self, plan: &Plan) -> bool {
        self.needs_whole_batches(plan).is_none()
    }

    /// A `train.micro_batch_size` by which gradients would not be those of the batch.
    pub fn micro_batch_flaw(&self, plan: &Plan) -> Option<Flaw> {
        if self.micro_batch(plan, true) == self.train.batch_size.get() {
            return None;
        }
        let (why, hint) = self.needs_whole_batches(plan)?;
        let message = format!("`micro_batch_size` makes gradients of parts of a batch, but {why}");
        Some(Flaw::new("train.micro_batch_size", message).hint(hint))
    }

    /// A `train.accumulate` by which a step would not be that of a larger batch.
    pub fn accumulate_flaw(&self) -> Option<Flaw> {
        if self.train.accumulate.get() == 1 {
            return None;
        }
        let loss = &self.train.loss;
        let (why, hint) = match self.turns() {
            Some(why) => (why, "a larger `batch_size`"),
            None if loss.sums_over_batch() => {
                let why = format!("`{}` sums over a batch", loss.kind().key());
                (why, "over_batch = \"mean\"")
            }
            None => return None,
        };
        let message = format!("`accumulate` takes means of batches, but {why}");
        Some(Flaw::new("train.accumulate", message).hint(hint))
    }

    /// Why the gradients of a batch are not the sum of its parts', if they are not, and what would help.
    fn needs_whole_batches(&self, plan: &Plan) -> Option<(String, &'static str)> {
        let loss = &self.train.loss;
        if let Some(why) = self.turns() {
            return Some((why, "a smaller `batch_size`"));
        }
        if let Some(layer) = plan.joining_layer() {
            let why = format!("the layer `{}` looks at all images of a batch", layer.name);
            return Some((why, "a smaller `batch_size`, and `accumulate`"));
        }
        let does = loss.joins_samples()?;
        let why = format!("`{}` {does}", loss.kind().key());
        Some((why, "a smaller `batch_size`"))
    }

    /// Says that steps have more than one turn, if they have.
    fn turns(&self) -> Option<String> {
        let kind = self.model.kind();
        let turns = kind.turns().len();
        (turns > 1).then(|| format!("the steps of {} have {turns} turns", kind.called()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::ImageShape;

    fn received(model: &str, loss: &str, train: &str) -> (Settings, Plan) {
        let text = format!(
            "[data]\ndataset = 'mnist'\n[augment]\n[model]\n{model}\n
             [train]\nepochs = 1\nbatch_size = 1000\nloss = {loss}\noptimizer = 'adam'\nseeds = [0]\n{train}"
        );
        let settings: Settings = toml::from_str(&text).expect("the settings parse");
        let shape = ImageShape {
            channels: 1,
            height: 28,
            width: 28,
        };
        let (plan, flaws) = settings.network(shape, 10);
        assert_eq!(flaws, []);
        (settings, plan)
    }

    fn classifier(layers: &str) -> String {
        format!("classifier.layers = [{layers}, 'flatten', {{ dense = {{ units = 'classes' }} }}]")
    }

    const FILTERS: &str = "{ conv2d = { filters = 32, kernel = 3 } }";

    #[test]
    fn only_the_cpu_cuts_batches_unless_it_is_asked_for() {
        let sizes = |train: &str| {
            let (settings, plan) = received(&classifier(FILTERS), "'cross_entropy'", train);
            [true, false].map(|on_cpu| settings.micro_batch(&plan, on_cpu))
        };
        let [cpu, gpu] = sizes("");
        assert!((10..100).contains(&cpu) && gpu == 1000, "{cpu}, {gpu}");
        assert_eq!(sizes("micro_batch_size = 300"), [300; 2]);
        assert_eq!(sizes("micro_batch_size = 3000"), [1000; 2]);
    }

    #[test]
    fn what_looks_at_all_of_a_batch_is_not_cut_and_says_so() {
        let flaw = |model: &str, loss: &str| {
            let (settings, plan) = received(model, loss, "");
            assert_eq!(settings.micro_batch(&plan, true), 1000);
            assert_eq!(settings.micro_batch_flaw(&plan), None);
            let (settings, plan) = received(model, loss, "micro_batch_size = 10");
            let flaw = settings.micro_batch_flaw(&plan).expect("there is a flaw");
            assert_eq!(flaw.key, "train.micro_batch_size");
            let why = flaw
                .message
                .split_once(", but ")
                .expect("there is a reason")
                .1;
            why.to_string()
        };
        let of_layer = |layer: &str| {
            flaw(
                &classifier(&format!("{FILTERS}, {layer}")),
                "'cross_entropy'",
            )
        };
        assert_eq!(
            of_layer("'batch_normalization'"),
            "the layer `batch_normalization_1` looks at all images of a batch"
        );
        assert_eq!(
            of_layer("{ winner_take_all = { lifetime = 0.1 } }"),
            "the layer `winner_take_all_1` looks at all images of a batch"
        );
        assert_eq!(
            of_layer(
                "{ conv2d = { filters = 1, kernel = 1, activation = 'sigmoid',
                   activity = { kl = { target = 0.1, weight = 1 } } } }"
            ),
            "the layer `conv2d_2` looks at all images of a batch"
        );
        assert_eq!(
            flaw(
                &classifier(FILTERS),
                "{ cross_entropy = { class_weights = 'balanced' } }"
            ),
            "`cross_entropy` divides by the weights of a batch's classes"
        );
        assert_eq!(
            flaw(&classifier(FILTERS), "'sum_squared'"),
            "`sum_squared` sums over a batch"
        );
        let gan =
            "gan = { latent = 4, generator = [{ dense = { units = 784, activation = 'sigmoid' } }, { reshape = { shape = [1, 28, 28] } }],
            discriminator = ['flatten', { dense = { units = 1, activation = 'sigmoid' } }] }";
        assert_eq!(
            flaw(gan, "'binary_cross_entropy'"),
            "the steps of a GAN have 2 turns"
        );
        let (settings, plan) = received(
            &classifier(&format!("{FILTERS}, 'batch_normalization'")),
            "'cross_entropy'",
            "freeze = ['batch_normalization_1']\nmicro_batch_size = 10",
        );
        assert_eq!(settings.micro_batch_flaw(&plan), None);
    }
}
