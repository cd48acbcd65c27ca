//! What keeps layers from taking the tensors of a file or of another network, as people read it.

use super::tensors::TensorShape;
use super::weight_file::Fitted;
use crate::error::count;

/// Where tensors are taken from.
pub trait Source {
    /// The shape of a tensor, laid out as here, if there is one.
    fn shape(&self, tensor: &TensorShape) -> Option<Vec<usize>>;

    /// What a layer is called there.
    fn module<'a>(&'a self, layer: &'a str) -> &'a str;
}

impl Source for Fitted<'_> {
    fn shape(&self, tensor: &TensorShape) -> Option<Vec<usize>> {
        Fitted::shape(self, tensor)
    }

    fn module<'a>(&'a self, layer: &'a str) -> &'a str {
        Fitted::module(self, layer)
    }
}

/// Of another network, whose layers have the same names.
impl Source for [TensorShape] {
    fn shape(&self, wanted: &TensorShape) -> Option<Vec<usize>> {
        let same =
            |tensor: &&TensorShape| tensor.layer == wanted.layer && tensor.role == wanted.role;
        self.iter().find(same).map(|tensor| tensor.shape.clone())
    }

    fn module<'a>(&'a self, layer: &'a str) -> &'a str {
        layer
    }
}

/// Layers that an error tells of; where a whole network does not fit, the first say it.
const MOST_MISFITS: usize = 8;

/// What keeps layers from taking these tensors from elsewhere: such layers with both shapes.
pub fn misfit<S: Source + ?Sized>(wanted: &[&TensorShape], there: &S) -> Option<String> {
    let layers = wanted.chunk_by(|one, other| one.layer == other.layer);
    let mismatches: Vec<String> = layers
        .filter_map(|layer| layer_misfit(layer, there))
        .collect();
    let shown = mismatches.len().min(MOST_MISFITS);
    let first = mismatches[..shown].join("; ");
    match mismatches.len() - shown {
        _ if mismatches.is_empty() => None,
        0 => Some(format!("the weights do not fit: {first}")),
        more => Some(format!(
            "the weights do not fit: {first}; and {} besides",
            count(more, "layer")
        )),
    }
}

fn layer_misfit<S: Source + ?Sized>(layer: &[&TensorShape], there: &S) -> Option<String> {
    let found: Vec<Option<Vec<usize>>> = layer.iter().map(|tensor| there.shape(tensor)).collect();
    let mut pairs = layer.iter().zip(&found);
    if pairs.all(|(tensor, found)| found.as_ref() == Some(&tensor.shape)) {
        return None;
    }
    let needed: Vec<String> = layer
        .iter()
        .map(|tensor| tensor.text(&tensor.shape))
        .collect();
    let pairs = layer.iter().zip(&found);
    let found: Vec<String> = pairs
        .filter_map(|(tensor, found)| Some(tensor.text(found.as_ref()?)))
        .collect();
    let name = &layer[0].layer;
    let module = there.module(name);
    let place = match module == name {
        true => String::new(),
        false => format!(" in `{module}`"),
    };
    let found = match found.is_empty() {
        true => "nothing of that name".to_string(),
        false => found.join(", "),
    };
    Some(format!(
        "`{name}` needs {}, found {found}{place}",
        needed.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn of_many_layers_that_do_not_fit_the_first_are_told() {
        let unit = "{ conv2d = { filters = 1, kernel = 1 } }";
        let list = format!("{{ repeat = {{ times = 9, layers = [{unit}] }} }}, {SMALL}");
        let wanted = planned(&list).tensors(10);
        let wanted: Vec<&TensorShape> = wanted.iter().collect();
        let misfit = misfit(&wanted, &[] as &[TensorShape]).unwrap();
        let start = "the weights do not fit: `repeat_1.1.conv2d_1` needs weight 1x1x1x1, bias 1, found nothing of that name; ";
        assert!(misfit.starts_with(start), "{misfit}");
        assert!(misfit.ends_with("; and 4 layers besides"), "{misfit}");
    }
}
