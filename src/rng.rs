//! One seed, many named streams of random numbers.
//!
//! Each use of chance draws from a stream of its own, named by purpose and place (epoch, layer,
//! image), so that adding a draw in one spot moves nothing elsewhere, and a resumed run continues
//! as if it had never stopped.

use rand::SeedableRng;
use sha2::{Digest, Sha256};

/// The generator behind every stream.
pub type Rng = rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Which samples a subset holds.
    Subset,
    /// First values of the weights; place: the layer's index, the tensor's index.
    Init,
    /// Order of the training samples; place: the epoch.
    Shuffle,
    /// Augmentation; place: epoch (0 for copies), index of the operation or copy, index of the image.
    Augment,
    /// Mixing of images in a batch; place: the epoch, the batch.
    Mix,
    /// Dropout and the noise layers; place: the epoch.
    Dropout,
    /// What a trained model draws; place: 0 for corruption, 1 for samples, 2 for codes.
    Sample,
    /// What a model draws while it is measured; place: the epoch, 0 for the test set.
    Measure,
    /// Codes and noise of what pictures show, the same at each drawing.
    Pictures,
    /// What is drawn to know more of a trained model than its loss; place: the measure, the part.
    Extra,
    /// Images that models generate; place: the class, the number of the draw.
    Generated,
    /// The dataset `fake`; place: 0 for training, 1 for testing; 0 for labels, 1 for pixels.
    Fake,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::Subset => "subset",
            Purpose::Init => "init",
            Purpose::Shuffle => "shuffle",
            Purpose::Augment => "augment",
            Purpose::Mix => "mix",
            Purpose::Dropout => "dropout",
            Purpose::Sample => "sample",
            Purpose::Measure => "measure",
            Purpose::Pictures => "pictures",
            Purpose::Extra => "extra",
            Purpose::Generated => "generated",
            Purpose::Fake => "fake",
        }
    }
}

/// All streams of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The stream for a purpose at a place; the same call gives the same numbers on every machine.
    pub fn stream(self, purpose: Purpose, place: &[u64]) -> Rng {
        Rng::from_seed(self.key(purpose, place))
    }

    /// One number in place of a stream, for generators that are not ours (a device's own).
    pub fn number(self, purpose: Purpose, place: &[u64]) -> u64 {
        let key = self.key(purpose, place);
        u64::from_le_bytes(key[..8].try_into().expect("a key has 32 bytes"))
    }

    fn key(self, purpose: Purpose, place: &[u64]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.0.to_le_bytes());
        hash.update(purpose.name().as_bytes());
        for part in place {
            hash.update(part.to_le_bytes());
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    #[test]
    fn streams_repeat_and_differ_by_seed_purpose_and_place() {
        let draw = |seed, purpose, place: &[u64]| Seed(seed).stream(purpose, place).random::<u64>();
        let first = draw(0, Purpose::Shuffle, &[1]);
        assert_eq!(first, draw(0, Purpose::Shuffle, &[1]));
        assert_ne!(first, draw(1, Purpose::Shuffle, &[1]));
        assert_ne!(first, draw(0, Purpose::Augment, &[1]));
        assert_ne!(first, draw(0, Purpose::Shuffle, &[2]));
    }
}
