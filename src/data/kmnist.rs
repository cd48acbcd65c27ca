//! KMNIST: cursive Japanese characters in MNIST's format and size.

use super::dataset::{Dataset, File, Layout, Sum};
use crate::shape::ImageShape;

// The sums that collections of datasets publish are those of the packed files.
pub(super) static KMNIST: Dataset = Dataset {
    name: "kmnist",
    folder: "kmnist",
    title: "Kuzushiji-MNIST cursive characters",
    layout: Layout::Idx,
    shape: ImageShape::new(1, 28, 28),
    samples: [60_000, 10_000],
    aliases: &["KMNIST"],
    train: &[
        File {
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sum: Sum::Packed("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        },
        File {
            name: "train-labels-idx1-ubyte",
            bytes: 60_008,
            sum: Sum::Packed("e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        },
    ],
    test: &[
        File {
            name: "t10k-images-idx3-ubyte",
            bytes: 7_840_016,
            sum: Sum::Packed("edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        },
        File {
            name: "t10k-labels-idx1-ubyte",
            bytes: 10_008,
            sum: Sum::Packed("20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        },
    ],
    archive: None,
    mirrors: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist"],
    classes: &["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
    license: "CC BY-SA 4.0",
    citation: "T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha: Deep Learning for \
               Classical Japanese Literature. arXiv:1812.01718, 2018",
};
