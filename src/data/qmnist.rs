//! QMNIST: MNIST made again from its source, with all 60,000 test digits, of which MNIST has 10,000.

use super::dataset::{Dataset, File, Layout, Sum};
use crate::shape::ImageShape;

// The sums that collections of datasets publish are those of the packed files.
pub(super) static QMNIST: Dataset = Dataset {
    name: "qmnist",
    folder: "qmnist",
    title: "QMNIST handwritten digits",
    layout: Layout::Idx,
    shape: ImageShape::new(1, 28, 28),
    samples: [60_000, 60_000],
    aliases: &["QMNIST"],
    train: &[
        File {
            name: "qmnist-train-images-idx3-ubyte",
            bytes: 47_040_016,
            sum: Sum::Packed("9e26a7bf1683614e065d7b76460ccd52807165b3f22561fb782bd9f38c52b51d"),
        },
        // Rows of eight numbers of four bytes, of which the first is the digit.
        File {
            name: "qmnist-train-labels-idx2-int",
            bytes: 1_920_012,
            sum: Sum::Packed("2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f"),
        },
    ],
    test: &[
        File {
            name: "qmnist-test-images-idx3-ubyte",
            bytes: 47_040_016,
            sum: Sum::Packed("43fc22bf7498b8fc98de98369d72f752d0deabc280a43a7bcc364ab19e57b375"),
        },
        File {
            name: "qmnist-test-labels-idx2-int",
            bytes: 1_920_012,
            sum: Sum::Packed("9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06"),
        },
    ],
    archive: None,
    mirrors: &["https://raw.githubusercontent.com/facebookresearch/qmnist/master"],
    classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    license: "BSD 3-clause",
    citation: "C. Yadav, L. Bottou: Cold Case: The Lost MNIST Digits. NeurIPS 2019",
};
