//! Fashion-MNIST: articles of clothing in MNIST's format and size.

use super::dataset::{Dataset, File, Layout, Sum};
use crate::shape::ImageShape;

pub(super) static FASHION_MNIST: Dataset = Dataset {
    name: "fashion-mnist",
    folder: "fashion-mnist",
    title: "Fashion-MNIST articles of clothing",
    layout: Layout::Idx,
    shape: ImageShape::new(1, 28, 28),
    samples: [60_000, 10_000],
    aliases: &[],
    train: &[
        File {
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sum: Sum::Content("c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        },
        File {
            name: "train-labels-idx1-ubyte",
            bytes: 60_008,
            sum: Sum::Content("bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        },
    ],
    test: &[
        File {
            name: "t10k-images-idx3-ubyte",
            bytes: 7_840_016,
            sum: Sum::Content("5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        },
        File {
            name: "t10k-labels-idx1-ubyte",
            bytes: 10_008,
            sum: Sum::Content("0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        },
    ],
    archive: None,
    mirrors: &[
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    ],
    classes: &[
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    license: "MIT",
    citation: "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for \
               benchmarking machine learning algorithms. arXiv:1708.07747, 2017",
};
