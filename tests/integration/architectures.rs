//! The published architectures: each has exactly the parameters that its paper or library counts.

use super::lab::Lab;

fn parameters(experiment: &str, variant: &str) -> String {
    let ended = Lab::new().burnlab(&["summary", experiment, variant]);
    assert_eq!(ended.code, 0, "{experiment}: {}", ended.err);
    let total = ended
        .out
        .lines()
        .find(|line| line.trim_start().starts_with("total"));
    let mut words = total.expect("a total").split_whitespace();
    words.nth(1).expect("parameters").to_string()
}

#[test]
fn every_architecture_has_its_published_number_of_parameters() {
    let published = [
        ("lenet-5", "modern", "61,706"),
        ("lenet-5", "original", "60,850"),
        ("alexnet", "full", "60,965,224"),
        ("vgg-16", "full", "138,357,544"),
        ("vgg-16", "batch-norm", "138,365,992"),
        ("googlenet", "full", "13,378,280"),
        ("googlenet", "without-side-classifiers", "6,998,552"),
        ("resnet-18", "full", "11,689,512"),
        ("resnet-50", "full", "25,557,032"),
        ("resnet-152", "full", "60,192,808"),
        ("resnet-20", "full", "272,474"),
        // As torchvision counts its own.
        ("alexnet", "torchvision", "61,100,840"),
        ("vgg-16", "torchvision", "138,357,544"),
        ("googlenet", "torchvision", "13,004,888"),
        ("resnet-18", "torchvision", "11,689,512"),
        ("resnet-50", "torchvision", "25,557,032"),
        ("resnet-152", "torchvision", "60,192,808"),
        ("dytb-lenet", "plain", "3,274,634"),
        ("dytb-vgg", "plain", "14,982,474"),
    ];
    for (name, variant, count) in published {
        let experiment = format!("architectures/{name}");
        assert_eq!(parameters(&experiment, variant), count, "{name}, {variant}");
    }
}
