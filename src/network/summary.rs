//! A network as a table.

use super::Planned;
use crate::error::thousands;
use crate::layers::Cost;
use crate::shape::ImageShape;
use crate::table::draw;

/// Layers with their output shapes (channels x height x width), parameters and multiply-adds.
pub fn summary_table(planned: &[Planned], input: ImageShape) -> String {
    let row = |name: &str, key: &str, shape: String, cost: Option<Cost>| {
        let number =
            |of: fn(Cost) -> usize| cost.map(|cost| thousands(of(cost))).unwrap_or_default();
        vec![
            name.to_string(),
            key.to_string(),
            shape,
            number(|cost| cost.parameters),
            number(|cost| cost.multiply_adds),
        ]
    };
    let total = Cost {
        parameters: planned.iter().map(|layer| layer.cost.parameters).sum(),
        multiply_adds: planned.iter().map(|layer| layer.cost.multiply_adds).sum(),
    };
    let layers = planned.iter().map(|layer| {
        row(
            &layer.name,
            layer.key,
            layer.output.to_string(),
            Some(layer.cost),
        )
    });
    let rows: Vec<Vec<String>> = std::iter::once(row("input", "", input.to_string(), None))
        .chain(layers)
        .chain([row("total", "", String::new(), Some(total))])
        .collect();
    let header = [
        "layer",
        "type",
        "output shape",
        "parameters",
        "multiply-adds",
    ];
    draw(&header, &rows, 2)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn the_summary_lists_layers_and_totals() {
        let text = summary_table(&planned(EXAMPLE), ImageShape::new(1, 28, 28));
        let line = |name: &str| -> Vec<String> {
            let line = text
                .lines()
                .find(|line| line.trim_start().starts_with(name));
            let words = line.expect("the line is there").split_whitespace();
            words.map(str::to_string).collect()
        };
        assert_eq!(
            line("conv2d_2"),
            ["conv2d_2", "conv2d", "64x14x14", "18,496", "3,612,672"]
        );
        assert_eq!(
            line("flatten_1"),
            ["flatten_1", "flatten", "1152", "0", "0"]
        );
        assert_eq!(line("total"), ["total", "241,546", "7,599,872"]);
    }
}
