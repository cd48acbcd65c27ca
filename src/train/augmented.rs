//! Training images that are changed anew in every epoch, on the CPU's threads; for a GPU ahead of its work.
//!
//! What becomes of an image depends on the seed, the epoch and its number alone: made ahead or when asked for, by
//! one thread or many, it is the same.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use rayon::prelude::*;

use crate::augment::{Augment, Image};
use crate::backend::{mark_awaited, with_threads};
use crate::data::{PixelValues, Scale};
use crate::rng::Seed;
use crate::shape::ImageShape;

/// Batches that may wait for the device, beside the one that is being made.
const AHEAD: usize = 2;

/// Images as they are, and what is done to them.
pub(super) struct Augmented {
    pub pixels: PixelValues,
    pub augment: Augment,
    pub shape: ImageShape,
    pub scale: Scale,
    pub seed: Seed,
}

impl Augmented {
    /// The first images unchanged, scaled, `[images, channels, height, width]` flattened.
    pub fn first(&self, count: usize) -> Vec<f32> {
        let mut first = self.pixels.some(0..count * self.shape.len()).into_owned();
        self.scale.apply(&mut first, self.shape);
        first
    }

    /// The chosen images of an epoch, from 1, changed and scaled, `[chosen, channels, height, width]` flattened.
    pub fn batch(&self, chosen: &[i32], epoch: usize) -> Vec<f32> {
        let size = self.shape.len();
        let mut batch = vec![0.0; chosen.len() * size];
        let images = chosen.par_iter().zip(batch.par_chunks_exact_mut(size));
        images.for_each(|(&index, room)| {
            let index = index as usize;
            let pixels = self.pixels.some(index * size..(index + 1) * size);
            let mut image = Image {
                shape: self.shape,
                pixels: pixels.into_owned(),
            };
            self.augment
                .random_into(&mut image, self.seed, epoch, index);
            room.copy_from_slice(&image.pixels);
        });
        self.scale.apply(&mut batch, self.shape);
        batch
    }
}

/// The rest of an epoch's batches, made one after another by a thread that is a little ahead.
pub(super) struct Ahead {
    /// The number of the next batch, from 0.
    next: usize,
    made: Option<Receiver<Vec<f32>>>,
    maker: Option<JoinHandle<()>>,
}

impl Ahead {
    /// Begins to make the batches from this one on, of so many images each, the last one perhaps smaller.
    pub fn from(
        batch: usize,
        batch_size: usize,
        images: Arc<Augmented>,
        order: Arc<[i32]>,
        epoch: usize,
    ) -> Self {
        let (send, made) = sync_channel(AHEAD);
        let make = move || {
            mark_awaited();
            for chosen in order.chunks(batch_size).skip(batch) {
                let batch = with_threads(|| images.batch(chosen, epoch));
                // Nobody waits for it where training has ended.
                if send.send(batch).is_err() {
                    return;
                }
            }
        };
        Ahead {
            next: batch,
            made: Some(made),
            maker: Some(thread::spawn(make)),
        }
    }

    /// The number of the batch that comes next, from 0.
    pub fn next(&self) -> usize {
        self.next
    }

    /// The next batch, of which there is one.
    pub fn take(&mut self) -> Vec<f32> {
        self.next += 1;
        let made = self.made.as_ref().and_then(|made| made.recv().ok());
        made.unwrap_or_else(|| match self.maker.take().map(JoinHandle::join) {
            Some(Err(panic)) => resume_unwind(panic),
            _ => unreachable!("an epoch has as many batches as are taken"),
        })
    }
}

impl Drop for Ahead {
    /// Ends the thread, which finds nobody who takes its batch.
    fn drop(&mut self) {
        self.made = None;
        if let Some(maker) = self.maker.take() {
            let _ = maker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: usize = 4;

    /// Ten images of 1x5x7 under operations that draw.
    fn images() -> (Arc<Augmented>, Arc<[i32]>) {
        let recipe =
            serde_json::json!({ "random": [{ "rotate": { "degrees": [-30, 30] } }, "flip"] });
        let bytes = (0..350u32).map(|at| (at * 37 % 256) as u8).collect();
        let images = Augmented {
            pixels: PixelValues::Bytes(bytes),
            augment: serde_json::from_value(recipe).unwrap(),
            shape: ImageShape::new(1, 5, 7),
            scale: Scale::Range([-1.0, 1.0]),
            seed: Seed(3),
        };
        (Arc::new(images), Arc::new([3, 1, 4, 0, 5, 9, 2, 6, 8, 7]))
    }

    #[test]
    fn batches_made_ahead_are_those_made_when_asked_for() {
        let (images, order) = images();
        for epoch in 1..3 {
            let asked: Vec<Vec<f32>> = order
                .chunks(BATCH)
                .map(|c| images.batch(c, epoch))
                .collect();
            for first in 0..asked.len() {
                let mut ahead = Ahead::from(first, BATCH, images.clone(), order.clone(), epoch);
                for (number, batch) in asked.iter().enumerate().skip(first) {
                    assert_eq!(ahead.next(), number);
                    assert_eq!(&ahead.take(), batch);
                }
            }
        }
        assert_ne!(images.batch(&order, 1), images.batch(&order, 2));
    }

    #[test]
    fn batches_that_nobody_takes_hold_up_nothing() {
        let (images, order) = images();
        let mut ahead = Ahead::from(0, 1, images.clone(), order, 1);
        ahead.take();
        drop(ahead);
        assert_eq!(Arc::strong_count(&images), 1);
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn what_breaks_off_there_breaks_off_here() {
        let (images, _) = images();
        Ahead::from(0, 1, images, Arc::new([10]), 1).take();
    }
}
