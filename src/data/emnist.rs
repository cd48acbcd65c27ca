//! EMNIST: digits and letters from the same source as MNIST, in six sets that come in one archive.

use super::dataset::{Archive, Dataset, File, Layout, Sum};
use crate::shape::ImageShape;

/// The classes of all sets begin with the digits, but for letters alone.
const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// In `bymerge` and `balanced` a small letter that looks like its capital counts as that.
const MERGED: [&str; 47] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F", "G", "H", "I",
    "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z", "a", "b",
    "d", "e", "f", "g", "h", "n", "q", "r", "t",
];

const BY_CLASS: [&str; 62] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F", "G", "H", "I",
    "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z", "a", "b",
    "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u",
    "v", "w", "x", "y", "z",
];

/// Capital and small letters as one.
const LETTERS: [&str; 26] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x", "y", "z",
];

/// A set: its name, what people call it, its training and test images, the label of its first class, its classes.
macro_rules! set {
    ($name:literal, $title:literal, [$train:literal, $test:literal], $first_label:literal, $classes:ident) => {
        Dataset {
            name: concat!("emnist-", $name),
            folder: "emnist",
            title: $title,
            layout: Layout::Emnist {
                first_label: $first_label,
            },
            shape: ImageShape::new(1, 28, 28),
            samples: [$train, $test],
            aliases: &["EMNIST", "EMNIST/raw"],
            train: &files!($name, "train", $train),
            test: &files!($name, "test", $test),
            archive: Some(Archive {
                name: "gzip.zip",
                bytes: 561_753_746,
                sha256: "909a2a39c5e86bdd7662425e9b9c4a49bb582bf8d0edad427f3c3a9d0c6f7259",
            }),
            mirrors: &["https://biometrics.nist.gov/cs_links/EMNIST"],
            classes: &$classes,
            license: "none stated; made from NIST Special Database 19",
            citation: "G. Cohen, S. Afshar, J. Tapson, A. van Schaik: EMNIST: an extension of MNIST to \
                       handwritten letters. arXiv:1702.05373, 2017",
        }
    };
}

// Of the files themselves no sums are published.
macro_rules! files {
    ($name:literal, $part:literal, $count:literal) => {
        [
            File {
                name: concat!("emnist-", $name, "-", $part, "-images-idx3-ubyte"),
                bytes: 16 + 28 * 28 * $count,
                sum: Sum::Unpublished,
            },
            File {
                name: concat!("emnist-", $name, "-", $part, "-labels-idx1-ubyte"),
                bytes: 8 + $count,
                sum: Sum::Unpublished,
            },
        ]
    };
}

pub(super) static EMNIST: [Dataset; 6] = [
    set!(
        "balanced",
        "EMNIST, 47 classes of equal size",
        [112_800, 18_800],
        0,
        MERGED
    ),
    set!(
        "byclass",
        "EMNIST, digits and all letters",
        [697_932, 116_323],
        0,
        BY_CLASS
    ),
    set!(
        "bymerge",
        "EMNIST, like letters merged",
        [697_932, 116_323],
        0,
        MERGED
    ),
    set!("letters", "EMNIST letters", [124_800, 20_800], 1, LETTERS),
    set!("digits", "EMNIST digits", [240_000, 40_000], 0, DIGITS),
    set!(
        "mnist",
        "EMNIST digits in MNIST's size",
        [60_000, 10_000],
        0,
        DIGITS
    ),
];
