//! A network as a table.

use comfy_table::{CellAlignment, Table, presets};

use super::Planned;
use crate::error::thousands;
use crate::layers::Cost;
use crate::shape::ImageShape;

/// Layers with their output shapes (channels x height x width), parameters and multiply-adds.
pub fn summary_table(planned: &[Planned], input: ImageShape) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_header([
            "layer",
            "type",
            "output shape",
            "parameters",
            "multiply-adds",
        ])
        .add_row(["input", "", &input.to_string(), "", ""]);
    let number = |number: usize| thousands(number);
    for layer in planned {
        let (shape, cost) = (layer.output.to_string(), layer.cost);
        table.add_row([
            layer.name.clone(),
            layer.key.to_string(),
            shape,
            number(cost.parameters),
            number(cost.multiply_adds),
        ]);
    }
    let sum = |of: fn(&Cost) -> usize| number(planned.iter().map(|layer| of(&layer.cost)).sum());
    table.add_row([
        "total".to_string(),
        String::new(),
        String::new(),
        sum(|cost| cost.parameters),
        sum(|cost| cost.multiply_adds),
    ]);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
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
