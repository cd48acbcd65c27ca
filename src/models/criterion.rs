//! What the losses of a model are taken with.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use crate::backend::Kernels;
use crate::layers::ForwardContext;
use crate::network::Network;
use crate::objective::{Mixed, Objective, Targets};
use crate::rng::Chance;
use crate::shape::ImageShape;

/// A part of the training images, or of others.
#[derive(Debug, Clone)]
pub struct Batch<B: Backend> {
    /// `[batch, channels, height, width]`
    pub images: Tensor<B, 4>,
    /// What the images are, and what they are mixed with.
    pub targets: Targets<B>,
    /// The source of random numbers of the forward pass: dropout, noise, codes.
    pub chance: Chance,
}

impl<B: Backend> Batch<B> {
    /// Number of images.
    pub fn size(&self) -> usize {
        self.images.dims()[0]
    }

    /// A forward pass of these images in training, which knows their classes.
    pub fn training_context(&self) -> ForwardContext<B>
    where
        B: Kernels,
    {
        ForwardContext {
            labels: Some(self.targets.classes.clone()),
            ..ForwardContext::training(self.chance.clone())
        }
    }

    /// The same where nothing is trained.
    pub fn inference_context(&self) -> ForwardContext<B>
    where
        B: Kernels,
    {
        ForwardContext {
            labels: Some(self.targets.classes.clone()),
            ..ForwardContext::inference()
        }
    }

    /// Parts of `size` images, the last one perhaps of fewer; for an image the same is drawn as in the whole batch.
    pub fn parts(self, size: usize) -> impl Iterator<Item = Batch<B>> {
        let count = self.size();
        (0..count).step_by(size).map(move |start| {
            if size >= count {
                return self.clone();
            }
            let range = start..(start + size).min(count);
            let of_part = |classes: &Tensor<B, 1, Int>| classes.clone().slice([range.clone()]);
            Batch {
                images: self.images.clone().slice([range.clone()]),
                targets: Targets {
                    classes: of_part(&self.targets.classes),
                    mixed: self.targets.mixed.as_ref().map(|mixed| Mixed {
                        classes: of_part(&mixed.classes),
                        share: mixed.share,
                    }),
                },
                chance: self.chance.from_sample(start),
            }
        })
    }
}

/// The loss of a run on a device, and the images that it is of.
pub struct Criterion<B: Backend> {
    /// The loss.
    pub objective: Objective<B>,
    /// Shape of one image.
    pub images: ImageShape,
}

impl<B: Kernels> Criterion<B> {
    /// A mean loss over a batch, `[1]`, as a step takes it: the sum where the loss is one, and with what the size
    /// of the weights adds.
    pub fn step(&self, mean: Tensor<B, 1>, size: usize, network: &Network<B>) -> Tensor<B, 1> {
        let factor = self.step_factor(size);
        let penalty = network.penalty().into_iter();
        penalty.fold(mean * factor, |sum, one| sum + one)
    }

    /// What a step multiplies the mean loss of a batch by.
    pub fn step_factor(&self, size: usize) -> f64 {
        self.objective.loss().step_factor(size)
    }
}
