//! MNIST: handwritten digits, 60,000 for training and 10,000 for testing, 1x28x28.

use super::dataset::{Dataset, File, Layout, Sum};
use crate::shape::ImageShape;

pub(super) static MNIST: Dataset = Dataset {
    name: "mnist",
    folder: "mnist",
    title: "MNIST handwritten digits",
    layout: Layout::Idx,
    shape: ImageShape::new(1, 28, 28),
    samples: [60_000, 10_000],
    aliases: &[],
    train: &[
        File {
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sum: Sum::Content("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        },
        File {
            name: "train-labels-idx1-ubyte",
            bytes: 60_008,
            sum: Sum::Content("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        },
    ],
    test: &[
        File {
            name: "t10k-images-idx3-ubyte",
            bytes: 7_840_016,
            sum: Sum::Content("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        },
        File {
            name: "t10k-labels-idx1-ubyte",
            bytes: 10_008,
            sum: Sum::Content("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        },
    ],
    archive: None,
    mirrors: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    ],
    classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    license: "CC BY-SA 3.0, as usually stated",
    citation: "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to \
               document recognition. Proceedings of the IEEE 86(11), 1998",
};
