//! From a list of layers to a network: planned, built, applied, described, and its weights in and out.
//!
//! Knows what comes before and after each layer, and so turns a layer's flaw into one that names both.
//! Knows nothing of datasets, losses' values or training.

mod graph;
#[cfg(test)]
mod peers;
mod plan;
mod summary;
mod weights;

pub use plan::{Planned, plan_classifier, plan_layers};
pub use summary::summary_table;
pub use weights::NamedValues;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::backend::Kernels;
use crate::layers::{Around, Forward, Layer, LayerSpec, Signal, Weights};
use crate::rng::Seed;
use crate::shape::Shape;

/// Layers with their weights on a device.
#[derive(Module, Debug)]
pub struct Network<B: Backend> {
    layers: Vec<Layer<B>>,
    #[module(skip)]
    planned: Vec<Planned>,
}

impl<B: Kernels> Network<B> {
    /// `[batch, channels, height, width]` to the last layer's `[batch, features]`; `training` switches
    /// dropout and batch statistics on.
    pub fn forward(&self, images: Tensor<B, 4>, training: bool) -> Tensor<B, 2> {
        let first = Signal::Image(images);
        let through = |signal, layer: &Layer<B>| layer.forward(signal, training);
        self.layers.iter().fold(first, through).features()
    }
}

impl<B: Backend> Network<B> {
    /// The network with fresh weights.
    ///
    /// `planned` comes from [`plan_layers`] for the same `specs` and `input`, without flaws.
    pub fn build(
        specs: &[LayerSpec],
        planned: Vec<Planned>,
        input: Shape,
        around: Around,
        seed: Seed,
        device: &B::Device,
    ) -> Self {
        let mut weights = Weights::new(seed, device.clone());
        let mut input = input;
        let mut layers = Vec::with_capacity(specs.len());
        for (index, (spec, plan)) in specs.iter().zip(&planned).enumerate() {
            weights.enter_layer(index);
            layers.push(spec.build(input, around, &mut weights));
            input = plan.output;
        }
        Network { layers, planned }
    }

    /// Trained numbers.
    pub fn parameters(&self) -> usize {
        self.planned.iter().map(|layer| layer.cost.parameters).sum()
    }

    /// The layers' names and shapes, in forward order.
    pub fn planned(&self) -> &[Planned] {
        &self.planned
    }
}

/// Shared by this room's tests.
#[cfg(test)]
mod testing {
    use super::*;
    use crate::objective::LossSpec;
    use crate::shape::ImageShape;

    pub const AROUND: Around = Around { classes: 10 };
    pub const DIGIT: Shape = Shape::Image(ImageShape {
        channels: 1,
        height: 28,
        width: 28,
    });

    /// The layers of a TOML list.
    pub fn layers(list: &str) -> Vec<LayerSpec> {
        #[derive(serde::Deserialize)]
        struct Holder {
            layers: Vec<LayerSpec>,
        }
        toml::from_str::<Holder>(&format!("layers = [{list}]"))
            .expect("the layers parse")
            .layers
    }

    /// The network of the design's example.
    pub const EXAMPLE: &str = "
        { conv2d = { filters = 32, kernel = 3, activation = 'relu' } },
        { conv2d = { filters = 64, kernel = 3, stride = 2, activation = 'relu' } },
        { conv2d = { name = 'deep', filters = 128, kernel = 3, stride = 2, activation = 'relu' } },
        { max_pool2d = { size = 2 } },
        'flatten',
        { dense = { units = 128, activation = 'relu' } },
        { dense = { units = 'classes' } },";

    pub fn planned(list: &str) -> Vec<Planned> {
        let (planned, flaws) =
            plan_classifier(&layers(list), DIGIT, AROUND, LossSpec::CrossEntropy);
        assert_eq!(flaws, []);
        planned
    }

    pub fn network<B: Backend>(list: &str, seed: u64) -> Network<B> {
        let device = Default::default();
        Network::build(
            &layers(list),
            planned(list),
            DIGIT,
            AROUND,
            Seed(seed),
            &device,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn the_example_has_the_parameters_counted_by_hand() {
        let network = network::<Flex>(EXAMPLE, 0);
        let by_hand =
            32 * 10 + 64 * (9 * 32 + 1) + 128 * (9 * 64 + 1) + (1152 * 128 + 128) + (128 * 10 + 10);
        assert_eq!(network.parameters(), by_hand);
        assert_eq!(network.num_params(), by_hand);
    }

    #[test]
    fn forward_gives_one_score_a_class() {
        let network = network::<Flex>(EXAMPLE, 0);
        let images = Tensor::zeros([3, 1, 28, 28], &Default::default());
        assert_eq!(network.forward(images, false).dims(), [3, 10]);
    }

    #[test]
    fn a_seed_gives_the_same_weights_again_and_another_gives_others() {
        let values =
            |seed| network::<Flex>("'flatten', { dense = { units = 'classes' } }", seed).values();
        assert_eq!(values(1), values(1));
        assert_ne!(values(1), values(2));
    }
}
