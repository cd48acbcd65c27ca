//! Images and labels on the device, and batches of them.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use rand::seq::SliceRandom;

use super::Job;
use super::augmented::{Ahead, Augmented};
use super::images::{Images, image_tensor};
use crate::augment::batch::{BatchOperation, mix};
use crate::backend::{Kernels, TrainingBackend};
use crate::data::{PixelValues, Samples, Scale};
use crate::error::{Error, Problem, Result};
use crate::models::Batch;
use crate::objective::{Mixed, Targets};
use crate::record::Picture;
use crate::rng::{Chance, Purpose, Seed};
use crate::shape::ImageShape;

/// What a run trains on.
pub(super) struct TrainingSet<B: TrainingBackend> {
    images: TrainingImages<B>,
    labels: Tensor<B, 1, Int>,
    /// What mixes the images of a batch, if anything does.
    mixing: Vec<BatchOperation>,
    count: usize,
    shape: ImageShape,
    scale: Scale,
    batch_size: usize,
    shuffle: bool,
    seed: Seed,
    device: B::Device,
}

enum TrainingImages<B: TrainingBackend> {
    /// All of them, gathered there into batches.
    OnDevice(Images<B>),
    /// Changed anew in every epoch and sent batch by batch; a GPU works meanwhile, the CPU has nothing else to do.
    OnHost { images: Arc<Augmented>, ahead: bool },
}

/// The order of one epoch.
pub(super) struct Order<B: Backend> {
    epoch: usize,
    batch_size: usize,
    host: Arc<[i32]>,
    device: Tensor<B, 1, Int>,
    /// Batches that are made ahead, if such are.
    ahead: Option<Ahead>,
}

impl<B: Backend> Order<B> {
    /// How many, the last one perhaps smaller.
    pub fn batches(&self) -> usize {
        self.host.len().div_ceil(self.batch_size)
    }

    /// Whether a step is taken after the batch, from 0, where `accumulate` batches make a step.
    pub fn ends_step(&self, batch: usize, accumulate: usize) -> bool {
        (batch + 1).is_multiple_of(accumulate) || batch + 1 == self.batches()
    }

    /// Share of a batch, from 0, in the images of the step that it belongs to.
    pub fn share(&self, batch: usize, accumulate: usize) -> f64 {
        let first = batch - batch % accumulate;
        let last = (first + accumulate).min(self.batches()) - 1;
        let images = self.range(last).end - self.range(first).start;
        self.range(batch).len() as f64 / images as f64
    }

    fn range(&self, batch: usize) -> Range<usize> {
        let start = batch * self.batch_size;
        start..(start + self.batch_size).min(self.host.len())
    }

    /// A batch of images; those after it are made while the device works on it.
    fn made_ahead(&mut self, images: &Arc<Augmented>, batch: usize) -> Vec<f32> {
        let begin = || {
            let (images, order) = (images.clone(), self.host.clone());
            Ahead::from(batch, self.batch_size, images, order, self.epoch)
        };
        let ahead = self.ahead.take().filter(|ahead| ahead.next() == batch);
        self.ahead.insert(ahead.unwrap_or_else(begin)).take()
    }
}

impl<B: TrainingBackend> TrainingSet<B> {
    /// The images and their augmented copies.
    pub fn new(job: &Job, samples: Samples, device: &B::Device) -> Result<Self> {
        let samples = filled(samples, "training")?;
        let (augment, scale) = (&job.settings.augment, job.settings.data.scale.clone());
        let (shape, seed) = (samples.shape, Seed(job.seed));
        let (mut pixels, labels) = (samples.pixels, samples.labels);
        if !augment.copies.is_empty() {
            let copies = augment.copies_of(&pixels.reals(), shape, seed);
            pixels.append(PixelValues::Reals(copies));
        }
        let labels = labels.repeat(augment.images_per_image());
        #[cfg(test)]
        let labels = crate::defects::perhaps_off_by_one(labels);
        Ok(TrainingSet {
            count: labels.len(),
            mixing: augment.batch.clone(),
            labels: label_tensor(&labels, device),
            images: match augment.random.is_empty() {
                true => TrainingImages::OnDevice(Images::new(pixels, shape, &scale, device)),
                false => TrainingImages::OnHost {
                    images: Arc::new(Augmented {
                        pixels,
                        augment: augment.clone(),
                        shape,
                        scale: scale.clone(),
                        seed,
                    }),
                    ahead: !job.device.is_cpu(),
                },
            },
            shape,
            scale,
            batch_size: job.settings.train.batch_size.get(),
            shuffle: job.settings.train.shuffle,
            seed,
            device: device.clone(),
        })
    }

    /// Number of images, the copies included.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The first images as they are, scaled, `[images, channels, height, width]` flattened.
    pub fn first(&self, count: usize) -> Vec<f32> {
        match &self.images {
            TrainingImages::OnDevice(images) => images.read(0..count, self.batch_size),
            TrainingImages::OnHost { images, .. } => images.first(count),
        }
    }

    /// The order of an epoch, from 1.
    pub fn order(&self, epoch: usize) -> Order<B> {
        let mut host: Vec<i32> = (0..self.count as i32).collect();
        if self.shuffle {
            let mut rng = self.seed.stream(Purpose::Shuffle, &[epoch as u64]);
            host.shuffle(&mut rng);
        }
        Order {
            epoch,
            batch_size: self.batch_size,
            host: host.as_slice().into(),
            device: Tensor::from_data(TensorData::new(host, [self.count]), &self.device),
            ahead: None,
        }
    }

    /// A batch of an epoch, from 0, as the network sees it; they are best asked for in their order.
    pub fn batch(&self, order: &mut Order<B>, batch: usize, chance: Chance) -> Batch<B> {
        let range = order.range(batch);
        let chosen = order.device.clone().slice([range.clone()]);
        let labels = self.labels.clone().select(0, chosen.clone());
        let images = match &self.images {
            TrainingImages::OnDevice(images) => images.chosen(chosen),
            TrainingImages::OnHost { images, ahead } => {
                let changed = match ahead {
                    true => order.made_ahead(images, batch),
                    false => images.batch(&order.host[range], order.epoch),
                };
                image_tensor(changed, self.shape, &self.device)
            }
        };
        self.mixed(images, labels, order.epoch, batch, chance)
    }

    fn mixed(
        &self,
        images: Tensor<B, 4>,
        classes: Tensor<B, 1, Int>,
        epoch: usize,
        batch: usize,
        chance: Chance,
    ) -> Batch<B> {
        let mut targets = Targets::of(classes);
        if self.mixing.is_empty() {
            return Batch {
                images,
                targets,
                chance,
            };
        }
        let place = [epoch as u64, batch as u64];
        let mut rng = self.seed.stream(Purpose::Mix, &place);
        let mixed = mix(&self.mixing, images, &mut rng);
        targets.mixed = Some(Mixed {
            classes: targets.classes.clone().select(0, mixed.others),
            share: mixed.share,
        });
        Batch {
            images: mixed.images,
            targets,
            chance,
        }
    }

    /// The first images of the first batch, as the network sees them.
    pub fn pictures(&self, most: usize) -> Vec<Picture> {
        let first = self.batch(&mut self.order(1), 0, Chance::default());
        let pixels: Vec<f32> = first.images.into_data().iter::<f32>().collect();
        let images = pixels.chunks_exact(self.shape.len()).take(most);
        images
            .map(|image| picture(image, self.shape, &self.scale))
            .collect()
    }
}

fn picture(image: &[f32], shape: ImageShape, scale: &Scale) -> Picture {
    let plane = shape.height * shape.width;
    let byte = |at: usize| (scale.pixel(at / plane, image[at]) * 255.0).round() as u8;
    let pixels = (0..plane)
        .flat_map(|at| (0..shape.channels).map(move |channel| channel * plane + at))
        .map(byte);
    Picture {
        width: shape.width,
        height: shape.height,
        channels: shape.channels,
        pixels: pixels.collect(),
    }
}

/// What a network is measured on.
pub(super) struct EvaluationSet<B: Backend> {
    images: Images<B>,
    labels: Tensor<B, 1, Int>,
    truth: Vec<u32>,
    batch_size: usize,
}

impl<B: Kernels> EvaluationSet<B> {
    /// The images, of which `batch_size` are measured at a time.
    pub fn new(
        samples: Samples,
        scale: &Scale,
        batch_size: usize,
        device: &B::Device,
    ) -> Result<Self> {
        let samples = filled(samples, "evaluation")?;
        Ok(EvaluationSet {
            images: Images::new(samples.pixels, samples.shape, scale, device),
            labels: label_tensor(&samples.labels, device),
            truth: samples.labels,
            batch_size,
        })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.truth.len()
    }

    /// All images, `[images, channels, height, width]` flattened.
    pub fn pixels(&self) -> Vec<f32> {
        self.images.read(0..self.len(), self.batch_size)
    }

    /// Their classes.
    pub fn labels(&self) -> &[u32] {
        &self.truth
    }

    /// All samples, in their order; what is drawn for one does not depend on the size of batches.
    pub fn batches(&self, chance: Chance) -> impl Iterator<Item = Batch<B>> {
        let count = self.truth.len();
        (0..count).step_by(self.batch_size).map(move |start| {
            let range = start..(start + self.batch_size).min(count);
            Batch {
                images: self.images.range(range.clone()),
                targets: Targets::of(self.labels.clone().slice([range])),
                chance: chance.from_sample(start),
            }
        })
    }

    /// `confusion[truth][answer]`.
    pub fn confusion(&self, answers: &[usize], classes: usize) -> Vec<Vec<usize>> {
        let mut confusion = vec![vec![0; classes]; classes];
        for (&truth, &answer) in self.truth.iter().zip(answers) {
            confusion[truth as usize][answer] += 1;
        }
        confusion
    }
}

fn filled(samples: Samples, what: &str) -> Result<Samples> {
    if samples.is_empty() {
        let problem = Problem::new(format!("there are no {what} images"));
        return Err(Error::data(problem));
    }
    Ok(samples)
}

fn label_tensor<B: Backend>(labels: &[u32], device: &B::Device) -> Tensor<B, 1, Int> {
    let numbers: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    Tensor::from_data(TensorData::new(numbers, [labels.len()]), device)
}
