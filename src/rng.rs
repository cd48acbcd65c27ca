//! One seed, many named streams of random numbers.
//!
//! Each use of chance draws from a stream of its own, named by purpose and place (epoch, layer,
//! image), so that adding a draw in one spot moves nothing elsewhere, and a resumed run continues
//! as if it had never stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

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
    /// Order of the training samples; place: the pass over them, from 1.
    Shuffle,
    /// Augmentation; place: the pass (0 for copies), the index of the operation or copy (the largest number for random ones), the
    /// index of the image.
    Augment,
    /// Mixing of images in a batch; place: the pass, the batch in it.
    Mix,
    /// Dropout and the noise layers; place: the pass, the batch in it.
    Dropout,
    /// What a trained model draws; place: 0 for corruption, 1 for samples, 2 and its number for a draw of codes.
    Sample,
    /// What a model draws while it is measured; place: 0.
    Measure,
    /// Codes and noise of what pictures show, the same at each drawing.
    Pictures,
    /// What is drawn to know more of a trained model than its loss; place: the measure, the part.
    Extra,
    /// Images that models generate; place: the class and the number of the draw, or the draw alone where classes are drawn, too.
    Generated,
    /// Points of a search; place: the point, the attempt, the key.
    Search,
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
            Purpose::Search => "search",
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

    /// Tensors of random numbers, made where they are needed.
    pub fn chance(self, purpose: Purpose, place: &[u64]) -> Chance {
        Chance::new(self.number(purpose, place))
    }

    /// One number in place of a stream: a seed in its turn, or the key of a [`Chance`].
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

/// What the layers of one pass draw from, one tensor after another.
///
/// A copy goes on where the original is. Every number belongs to a sample of the batch, by its place in the whole set,
/// so that batches of another size give the same.
#[derive(Debug, Clone, Default)]
pub struct Chance {
    key: u64,
    first: u64,
    drawn: Arc<AtomicU32>,
}

impl Chance {
    /// Another key gives other numbers.
    pub fn new(key: u64) -> Self {
        Chance {
            key,
            ..Chance::default()
        }
    }

    /// From the beginning, for a batch whose first sample has this number in its set.
    pub fn from_sample(&self, first: usize) -> Self {
        Chance {
            key: self.key,
            first: first as u64,
            drawn: Arc::default(),
        }
    }

    /// The next tensor's numbers.
    pub fn draw(&self) -> Draw {
        Draw {
            key: self.key,
            number: self.drawn.fetch_add(1, Ordering::Relaxed),
            first: self.first,
        }
    }
}

/// The numbers of one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// What they are all made of.
    pub key: u64,
    /// How many tensors were drawn before.
    pub number: u32,
    /// The number of the tensor's first sample.
    pub first: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    #[test]
    fn copies_of_chance_draw_on_and_each_batch_begins_anew() {
        let chance = Seed(3).chance(Purpose::Dropout, &[1]);
        let numbers = [&chance, &chance.clone(), &chance.from_sample(7)].map(Chance::draw);
        assert_eq!(
            numbers.map(|draw| (draw.number, draw.first)),
            [(0, 0), (1, 0), (0, 7)]
        );
        assert!(numbers.iter().all(|draw| draw.key == numbers[0].key));
    }

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
