//! CIFAR-10: small photographs, 50,000 for training and 10,000 for testing, 3x32x32.

use super::dataset::{Archive, Dataset, File, Layout, Sum};
use crate::shape::ImageShape;

/// One batch: 10,000 records of 1 + 3x32x32 bytes.
const BATCH: u64 = 30_730_000;

pub(super) static CIFAR_10: Dataset = Dataset {
    name: "cifar-10",
    folder: "cifar-10",
    title: "CIFAR-10 photographs",
    layout: Layout::Cifar,
    shape: ImageShape::new(3, 32, 32),
    samples: [50_000, 10_000],
    aliases: &["cifar-10-batches-bin"],
    train: &[
        File {
            name: "data_batch_1.bin",
            bytes: BATCH,
            sum: Sum::Content("cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        },
        File {
            name: "data_batch_2.bin",
            bytes: BATCH,
            sum: Sum::Content("a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        },
        File {
            name: "data_batch_3.bin",
            bytes: BATCH,
            sum: Sum::Content("bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        },
        File {
            name: "data_batch_4.bin",
            bytes: BATCH,
            sum: Sum::Content("014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        },
        File {
            name: "data_batch_5.bin",
            bytes: BATCH,
            sum: Sum::Content("755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        },
    ],
    test: &[File {
        name: "test_batch.bin",
        bytes: BATCH,
        sum: Sum::Content("8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    }],
    archive: Some(Archive {
        name: "cifar-10-binary.tar.gz",
        bytes: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    }),
    mirrors: &["https://www.cs.toronto.edu/~kriz"],
    classes: &[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ],
    license: "none stated by its authors; used freely for research",
    citation: "A. Krizhevsky: Learning multiple layers of features from tiny images. \
               Technical report, University of Toronto, 2009",
};
