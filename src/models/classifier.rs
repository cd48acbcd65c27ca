//! `classifier`: images in, one score a class out.

use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Batch, BatchMetrics, Criterion, ModelFields, Routes, Turn};
use crate::backend::{Kernels, reshape};
use crate::error::Flaw;
use crate::layers::{LayerContext, LayerSpec};
use crate::network::{Network, Plan, plan_classifier};
use crate::objective::Loss;
use crate::record::metrics::ACCURACY;
use crate::shape::{ImageShape, Shape};

/// A classifier, layer by layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Classifier {
    /// From the image to one score a class: `[batch, classes]`, before softmax.
    pub layers: Vec<LayerSpec>,
}

impl ModelFields for Classifier {
    const CALLED: &'static str = "a classifier";
    const LISTS: &'static [&'static str] = &["layers"];
    const LOSSES: &'static str = "loss = \"cross_entropy\"";
    const TURNS: &'static [Turn] = &[Turn::WHOLE];

    fn routes(plan: &Plan) -> Routes {
        Routes {
            classify: Some((0..plan.nodes.len()).collect()),
            ..Routes::default()
        }
    }

    fn plan(&self, images: ImageShape, context: LayerContext, loss: &Loss) -> (Plan, Vec<Flaw>) {
        let image = Shape::Image(images);
        let (plan, flaws) = plan_classifier(&self.layers, image, context, loss.kind());
        let below = flaws.into_iter().map(|flaw| flaw.under("layers"));
        (plan, below.collect())
    }

    fn loss<B: Kernels>(
        &self,
        _turn: Turn,
        network: &Network<B>,
        batch: &Batch<B>,
        criterion: &Criterion<B>,
        metrics: &mut BatchMetrics<B>,
    ) -> Tensor<B, 1> {
        let (objective, targets) = (&criterion.objective, &batch.targets);
        let forward_output = network.forward_training(batch.images.clone(), batch.chance.clone());
        let mean = objective.mean(forward_output.outputs.clone(), targets);
        measure_scores(
            mean.clone(),
            forward_output.outputs.clone(),
            batch,
            criterion,
            metrics,
        );
        let factor = criterion.step_factor(batch.size());
        forward_output.total_loss(mean, factor, |scores| objective.mean(scores, targets))
    }

    fn measure<B: Kernels>(
        &self,
        network: &Network<B>,
        batch: &Batch<B>,
        criterion: &Criterion<B>,
        metrics: &mut BatchMetrics<B>,
    ) -> Option<Tensor<B, 1, Int>> {
        let outputs = network.forward(batch.images.clone());
        let answers = reshape(outputs.clone().argmax(1), [batch.size()]);
        let mean = criterion.objective.mean(outputs.clone(), &batch.targets);
        measure_scores(mean, outputs, batch, criterion, metrics);
        Some(answers)
    }
}

fn measure_scores<B: Kernels>(
    mean: Tensor<B, 1>,
    outputs: Tensor<B, 2>,
    batch: &Batch<B>,
    criterion: &Criterion<B>,
    metrics: &mut BatchMetrics<B>,
) {
    let weight = criterion.objective.weight(&batch.targets);
    metrics.loss(mean, weight);
    metrics.sum(&ACCURACY, batch.targets.right(outputs));
}
