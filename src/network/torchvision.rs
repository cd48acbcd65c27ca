//! How torchvision calls the layers of its networks: by the order in which a batch meets them.
//!
//! A network with the same layers in the same order takes their weights whatever its own layers are called.

/// What the modules of a network's file begin with, in the order of a forward pass: of AlexNet and the VGGs, of the
/// ResNets, of GoogLeNet.
const FAMILIES: [&[&str]; 3] = [
    &["features", "classifier"],
    &["conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"],
    &[
        "conv1",
        "conv2",
        "conv3",
        "inception3a",
        "inception3b",
        "inception4a",
        "aux1",
        "inception4b",
        "inception4c",
        "inception4d",
        "aux2",
        "inception4e",
        "inception5a",
        "inception5b",
        "fc",
    ],
];

/// The modules with tensors, such as `layer1.0.conv1`, in the order of a forward pass; a projection stands after the
/// layers that it goes around. `None` unless torchvision calls them so.
pub(super) fn in_forward_order<'a>(modules: &[&'a str]) -> Option<Vec<&'a str>> {
    let placed = FAMILIES.iter().find_map(|family| {
        let place = |&module: &&'a str| Some((place(family, module)?, module));
        modules.iter().map(place).collect::<Option<Vec<_>>>()
    });
    let mut placed = placed?;
    placed.sort();
    Some(placed.into_iter().map(|(_, module)| module).collect())
}

/// The modules that are no side classifiers, which a network may do without.
pub(super) fn without_side_classifiers<'a>(modules: &[&'a str]) -> Vec<&'a str> {
    let is_side = |module: &&&str| module.starts_with("aux1.") || module.starts_with("aux2.");
    let others = modules.iter().filter(|module| !is_side(module));
    others.copied().collect()
}

/// Where a module stands: its first part among the family's, then each part among those beside it.
fn place(family: &[&str], module: &str) -> Option<Vec<[usize; 2]>> {
    let mut parts = module.split('.');
    let first = parts.next()?;
    let first = family.iter().position(|name| *name == first)?;
    let rest = parts.map(rank).collect::<Option<Vec<_>>>()?;
    Some([[first, 0]].into_iter().chain(rest).collect())
}

/// A part of a module's name by its number and, of the same number, its kind.
fn rank(part: &str) -> Option<[usize; 2]> {
    let digits = part.find(|c: char| c.is_ascii_digit());
    let (kind, number) = part.split_at(digits.unwrap_or(part.len()));
    let number = match number {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    match kind {
        "" | "conv" | "branch" => Some([number, 0]),
        "bn" => Some([number, 1]),
        "downsample" => Some([usize::MAX, 0]),
        "fc" => Some([usize::MAX, number]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(modules: &str) -> Option<Vec<&str>> {
        let mut modules: Vec<&str> = modules.split_whitespace().collect();
        modules.sort_unstable();
        in_forward_order(&modules)
    }

    /// Sorting by name and ordering again gives what was written.
    fn stays(modules: &str) {
        let expected: Vec<&str> = modules.split_whitespace().collect();
        assert_eq!(ordered(modules), Some(expected));
    }

    #[test]
    fn modules_are_put_in_the_order_of_a_forward_pass() {
        stays("features.0 features.3 features.10 classifier.1 classifier.4 classifier.6");
        stays(
            "conv1 bn1 layer1.0.conv1 layer1.0.bn1 layer1.0.conv2 layer1.0.bn2 layer1.0.conv3 layer1.0.bn3 \
             layer1.0.downsample.0 layer1.0.downsample.1 layer1.1.conv1 layer1.10.conv1 layer2.0.conv1 fc",
        );
        stays(
            "conv1.conv conv1.bn conv2.conv inception3a.branch1.conv inception3a.branch1.bn \
             inception3a.branch2.0.conv inception3a.branch2.1.conv inception3a.branch4.1.bn inception4a.branch1.conv \
             aux1.conv.conv aux1.conv.bn aux1.fc1 aux1.fc2 inception4b.branch1.conv aux2.fc1 inception4e.branch1.bn fc",
        );
    }

    #[test]
    fn modules_of_other_networks_have_no_order() {
        assert_eq!(ordered("conv1 bn1 stem fc"), None);
        assert_eq!(ordered("features.0 features.denseblock1"), None);
        assert_eq!(ordered("features.0 fc"), None);
    }

    #[test]
    fn side_classifiers_can_be_left_out() {
        let modules = ["inception4a.branch1.conv", "aux1.fc1", "fc"];
        assert_eq!(
            without_side_classifiers(&modules),
            ["inception4a.branch1.conv", "fc"]
        );
    }
}
