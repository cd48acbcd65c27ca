//! A network as a table.

use super::plan::{Flow, Node, Plan};
use crate::error::thousands;
use crate::layers::Cost;
use crate::shape::ImageShape;
use crate::table::draw;

/// Layers with their output shapes (channels x height x width), parameters and multiply-adds.
///
/// A block is one row; `expand` adds a row for every layer inside. The parts of a model show their layers
/// always. Where layers are frozen, two rows tell
/// what is trained and what is not.
pub fn summary_table(plan: &Plan, input: ImageShape, expand: bool) -> String {
    let input = match plan.layers.first() {
        Some(first) => first.input.to_string(),
        None => input.to_string(),
    };
    let mut rows = vec![row("input", "", input, None)];
    match plan.has_parts {
        true => {
            for (number, part) in plan.nodes.iter().enumerate() {
                add_rows(plan, std::slice::from_ref(part), "", false, &mut rows);
                add_rows(plan, plan.part(number), "  ", expand, &mut rows);
            }
        }
        false => add_rows(plan, &plan.nodes, "", expand, &mut rows),
    }
    rows.push(row("total", "", String::new(), Some(plan.cost())));
    if plan.layers.iter().any(|layer| layer.is_frozen) {
        let (all, frozen) = (plan.cost(), plan.frozen_cost());
        let trained = Cost {
            parameters: all.parameters - frozen.parameters,
            multiply_adds: all.multiply_adds - frozen.multiply_adds,
        };
        rows.push(row("trained", "", String::new(), Some(trained)));
        rows.push(row("frozen", "", String::new(), Some(frozen)));
    }
    let header = [
        "layer",
        "type",
        "output shape",
        "parameters",
        "multiply-adds",
    ];
    draw(&header, &rows, 2)
}

/// Adds the rows of a list of layers; `indent` stands before their names.
fn add_rows(plan: &Plan, nodes: &[Node], indent: &str, expand: bool, rows: &mut Vec<Vec<String>>) {
    for node in nodes {
        let (kind, lists) = match &node.flow {
            Flow::Layer(_) => (node.key, &[][..]),
            // A block of `[blocks]` is known by its name there.
            Flow::Block { spec, lists } => (spec.name().1, &lists[..]),
        };
        let short = node.name.rsplit('.').next().unwrap_or(&node.name);
        let shape = node.output.to_string();
        let name = format!("{indent}{short}");
        rows.push(row(&name, kind, shape, Some(node.cost(plan))));
        for list in lists.iter().filter(|_| expand) {
            let scope = list
                .first()
                .and_then(|first| scope(&node.name, &first.name));
            let mut indent = format!("{indent}  ");
            if let Some(scope) = scope {
                rows.push(row(&format!("{indent}{scope}"), "", String::new(), None));
                indent += "  ";
            }
            add_rows(plan, list, &indent, expand, rows);
        }
    }
}

/// What stands between a block's name and those of a list's layers: `projection`, the name of a branch.
fn scope<'a>(block: &str, layer: &'a str) -> Option<&'a str> {
    let below = layer.strip_prefix(block)?.strip_prefix('.')?;
    below.rsplit_once('.').map(|(scope, _)| scope)
}

fn row(name: &str, key: &str, shape: String, cost: Option<Cost>) -> Vec<String> {
    let number = |of: fn(Cost) -> usize| cost.map(|cost| thousands(of(cost))).unwrap_or_default();
    vec![
        name.to_string(),
        key.to_string(),
        shape,
        number(|cost| cost.parameters),
        number(|cost| cost.multiply_adds),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::Patterns;
    use super::super::patterns::patterns;
    use super::super::testing::*;
    use super::*;

    #[test]
    fn the_summary_lists_layers_and_totals() {
        let text = summary_table(&planned(EXAMPLE), ImageShape::new(1, 28, 28), false);
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
        assert!(!text.contains("frozen"), "{text}");
    }

    #[test]
    fn the_summary_tells_what_is_frozen() {
        let mut plan = planned(EXAMPLE);
        plan.freeze(
            &patterns(&["conv*", "deep", "dense_1"]),
            &Patterns::default(),
        );
        let text = summary_table(&plan, ImageShape::new(1, 28, 28), false);
        let words: Vec<&str> = text.split_whitespace().collect();
        let after = |word: &str| words[words.iter().position(|w| *w == word).unwrap() + 1];
        assert_eq!(
            (after("trained"), after("frozen")),
            ("1,290", "240,256"),
            "{text}"
        );
    }
}
