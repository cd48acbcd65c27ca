//! The vocabulary of batch operations: one file an operation, one line an operation in the registry
//! below.
//!
//! Where the other operations change an image by itself, these mix the images of a batch with one
//! another, on the device, and their classes with them. Knows nothing of datasets, training or files.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use rand::Rng as _;
use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};

use crate::rng::Rng;
use crate::tagged::{one_key_enum, write_table};
use crate::value::PositiveReal;

/// A batch operation as the file writes it.
trait BatchOperationFields {
    /// The batch with `others` mixed in, and the share of the batch's own images, from 0 to 1.
    ///
    /// Both are `[batch, channels, height, width]`.
    fn mix<B: Backend>(
        &self,
        images: Tensor<B, 4>,
        others: Tensor<B, 4>,
        rng: &mut Rng,
    ) -> (Tensor<B, 4>, f64);
}

/// Declares every batch operation once: its file, which is its TOML key, and its fields.
macro_rules! batch_operations {
    ($($(#[doc = $doc:literal])* $file:ident: $Name:ident;)*) => {
        $(mod $file;)*
        $(pub use $file::$Name;)*

        one_key_enum! {
            /// One batch operation: a table with its key, or only its name.
            #[derive(Debug, Clone, PartialEq)]
            BatchOperation, "a batch operation", "BatchOperation", write_table {
                $($(#[doc = $doc])* $file: $Name($Name);)*
            }
        }

        impl BatchOperation {
            fn mix<B: Backend>(
                &self,
                images: Tensor<B, 4>,
                others: Tensor<B, 4>,
                rng: &mut Rng,
            ) -> (Tensor<B, 4>, f64) {
                match self {
                    $(BatchOperation::$Name(fields) => fields.mix(images, others, rng),)*
                }
            }
        }
    };
}

batch_operations! {
    /// Each image blended with another one.
    mixup: Mixup;
    /// A rectangle of each image taken from another one.
    cutmix: Cutmix;
}

/// A batch whose images were mixed with one another.
pub struct MixedBatch<B: Backend> {
    /// `[batch, channels, height, width]`.
    pub images: Tensor<B, 4>,
    /// `[batch]`: the place in the batch of the image that was mixed into each.
    pub others: Tensor<B, 1, Int>,
    /// Share of the batch's own images, from 0 to 1.
    pub share: f64,
}

/// Mixes the images of a batch by one of the operations, of which there is at least one, each as likely
/// as any other.
///
/// Which image is mixed into which is drawn anew each time; an image may meet itself.
pub fn mix<B: Backend>(
    operations: &[BatchOperation],
    images: Tensor<B, 4>,
    rng: &mut Rng,
) -> MixedBatch<B> {
    let operation = &operations[rng.random_range(0..operations.len())];
    let [batch, ..] = images.dims();
    let mut others: Vec<i32> = (0..batch as i32).collect();
    others.shuffle(rng);
    let others = Tensor::from_data(TensorData::new(others, [batch]), &images.device());
    let partners = images.clone().select(0, others.clone());
    let (images, share) = operation.mix(images, partners, rng);
    MixedBatch {
        images,
        others,
        share,
    }
}

/// A share drawn from the beta distribution with both parameters `alpha`.
fn share(alpha: PositiveReal, rng: &mut Rng) -> f64 {
    // Beyond these the draw is 0 or 1, or 1/2, to the last digit that an image has.
    let alpha = alpha.get().clamp(1e-6, 1e12);
    let beta = Beta::new(alpha, alpha).expect("alpha is above 0");
    beta.sample(rng)
}

/// Shared by the operations' tests.
#[cfg(test)]
mod testing {
    use super::*;
    use burn::backend::Flex;

    /// A batch of two images of 1x4x6: the pixels are 1 in the first and 2 in the second; mixed with
    /// each other. Gives both images' pixels and the share.
    pub fn mixed(json: &str, seed: u64) -> ([Vec<f32>; 2], f64) {
        let operation: BatchOperation = serde_json::from_str(json).unwrap();
        let device = Default::default();
        let image = |value: f64| Tensor::<Flex, 4>::full([1, 1, 4, 6], value, &device);
        let images = Tensor::cat(vec![image(1.0), image(2.0)], 0);
        let others = Tensor::cat(vec![image(2.0), image(1.0)], 0);
        let mut rng = crate::rng::Seed(seed).stream(crate::rng::Purpose::Mix, &[]);
        let (images, share) = operation.mix(images, others, &mut rng);
        let pixels: Vec<f32> = images.into_data().into_vec().unwrap();
        ([pixels[..24].to_vec(), pixels[24..].to_vec()], share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Seed};
    use burn::backend::Flex;

    fn operations() -> Vec<BatchOperation> {
        let names = BatchOperation::NAMES.iter();
        names
            .map(|name| serde_json::from_value((*name).into()).unwrap())
            .collect()
    }

    #[test]
    fn every_operation_is_content_with_its_name_and_goes_round() {
        for operation in operations() {
            let json = serde_json::to_string(&operation).unwrap();
            assert_eq!(
                serde_json::from_str::<BatchOperation>(&json).unwrap(),
                operation
            );
        }
    }

    #[test]
    fn every_image_is_mixed_with_the_given_one_by_either_operation() {
        let device = Default::default();
        let values = Tensor::<Flex, 1>::from_floats([0.0, 1.0, 2.0, 3.0, 4.0], &device);
        let images = values.reshape([5, 1, 1, 1]).expand([5, 2, 8, 8]);
        let mut blended = 0;
        for place in 0..40 {
            let mut rng = Seed(0).stream(Purpose::Mix, &[place]);
            let mixed = mix(&operations(), images.clone(), &mut rng);
            let others: Vec<i64> = mixed.others.into_data().iter::<i64>().collect();
            let means = mixed.images.mean_dim(1).mean_dim(2).mean_dim(3);
            let means: Vec<f32> = means.into_data().into_vec().unwrap();
            for (own, (other, mean)) in others.iter().zip(&means).enumerate() {
                let by_hand = mixed.share * own as f64 + (1.0 - mixed.share) * *other as f64;
                assert!(
                    (f64::from(*mean) - by_hand).abs() < 1e-5,
                    "{mean} {by_hand}"
                );
            }
            // A rectangle's share is a number of 64 pixels.
            blended += usize::from((mixed.share * 64.0).fract() != 0.0);
        }
        assert!((10..=30).contains(&blended), "{blended}");
    }

    #[test]
    fn shares_follow_their_distribution_and_are_numbers_for_any_alpha() {
        let draws = |alpha: f64| -> Vec<f64> {
            let mut rng = Seed(0).stream(Purpose::Mix, &[]);
            (0..2000)
                .map(|_| share(PositiveReal(alpha), &mut rng))
                .collect()
        };
        // The variance of the beta distribution: 1 / (4 * (2 * alpha + 1)).
        for alpha in [0.2, 1.0, 5.0] {
            let draws = draws(alpha);
            let mean = draws.iter().sum::<f64>() / 2000.0;
            let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 2000.0;
            assert!((mean - 0.5).abs() < 0.03, "{mean}");
            assert!(
                (variance - 0.25 / (2.0 * alpha + 1.0)).abs() < 0.015,
                "{variance}"
            );
        }
        for alpha in [5e-324, 1e-6, 1e12, 1e300] {
            let numbers = draws(alpha);
            assert!(
                numbers.iter().all(|share| (0.0..=1.0).contains(share)),
                "{alpha}"
            );
        }
    }
}
