//! What a run says while it trains.

use serde::{Deserialize, Serialize};

use super::row::{EpochRow, Measured};
use crate::error::Result;

/// Something that happens in a run. The light ones also travel from worker to supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Training begins, or goes on after `epochs_done` epochs of an interrupted attempt: rows of its table,
    /// where it is counted in steps.
    Started {
        /// Rows of the whole training.
        epochs: usize,
        /// Rows that are there already.
        epochs_done: usize,
    },
    /// The network's graph, in forward order; said once at the start.
    Graph(Vec<Node>),
    /// Input images of the first batch after augmentation; said once at the start.
    Inputs(Vec<Picture>),
    /// Pictures of one size of what the network has learned after an epoch, by the name that the
    /// experiment knows them by.
    Pictures {
        /// The drawing's name.
        name: String,
        /// The row of `epochs.csv`, from 1.
        epoch: usize,
        /// The pictures, all of one size.
        pictures: Vec<Picture>,
    },
    /// Codes of images, each time all of them anew.
    Embedding(Box<Embedding>),
    /// Weights or gradients of one tensor after an epoch, by the tensor's name
    /// (`conv2d_1/weight`, `conv2d_1/weight/gradient`), just before that epoch is reported.
    Histogram {
        /// The tensor's name.
        name: String,
        /// The epoch, from 1.
        epoch: usize,
        /// The tensor's values.
        histogram: Histogram,
    },
    /// A share of an epoch is done: batches so far and in all.
    Progress {
        /// The epoch, from 1.
        epoch: usize,
        /// Batches so far.
        batch: usize,
        /// Batches of the epoch.
        batches: usize,
    },
    /// An epoch is over.
    Epoch(Box<EpochRow>),
    /// Training is over and the results are measured.
    Finished(Box<Measured>),
}

/// All values of one tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram(pub Vec<f32>);

/// One image: rows from the top, channels interleaved (1 gray or 3 RGB), 0 to 255.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// 1 or 3.
    pub channels: usize,
    /// `[height, width, channels]`
    pub pixels: Vec<u8>,
}

/// Codes of images, to be looked at from all sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Embedding {
    /// The drawing's name.
    pub name: String,
    /// `[images, features]`
    pub codes: Vec<f32>,
    /// Numbers in a code.
    pub features: usize,
    /// The class of each image.
    pub classes: Vec<String>,
    /// The images themselves in a square without gaps, row by row.
    pub sprite: Picture,
    /// Width and height of one of them.
    pub tile: [usize; 2],
}

/// One node of the network's graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Scopes are parted by `/`: `network/conv2d_1`.
    pub name: String,
    /// What it does: `conv2d`, `weight`, `cross_entropy`.
    pub operation: String,
    /// Names of the nodes it takes from.
    pub inputs: Vec<String>,
    /// Settings shown beside it.
    pub attributes: Vec<(String, String)>,
    /// Shape of its output without the batch axis.
    pub output: Vec<usize>,
}

/// What receives a run's events.
pub trait Reporter: Send {
    /// Receives one event. An error ends the run as failed.
    fn on_event(&mut self, event: &Event) -> Result<()>;
}
