//! The variants that an experiment's files name.

use crate::config::{Chain, SETTINGS, meant_at_top};
use crate::error::Problem;

/// The variants in the order of the files, or one without a name where there are none.
pub(super) fn variant_names(chain: &Chain, problems: &mut Vec<Problem>) -> Vec<Option<String>> {
    let mut names: Vec<Option<String>> = Vec::new();
    for document in &chain.documents {
        let Some(variants) = document.table.get("variants") else {
            continue;
        };
        let Some(table) = variants.as_table() else {
            let place = document.place(&["variants".to_string()], "variants");
            problems.push(Problem::new("expected tables of variants for `variants`").at(place));
            continue;
        };
        for (name, value) in table {
            if let Some((problem, key)) = variant_problem(name, value) {
                let at = ["variants".to_string(), name.clone()]
                    .into_iter()
                    .chain(key);
                let at: Vec<String> = at.collect();
                problems.push(problem.at(document.place_of_key(&at, &at.join("."))));
            } else if !names.contains(&Some(name.clone())) {
                names.push(Some(name.clone()));
            }
        }
    }
    if names.is_empty() {
        names.push(None);
    }
    names
}

/// What is wrong with a variant, and the key below it at fault if it is one.
fn variant_problem(name: &str, value: &toml::Value) -> Option<(Problem, Option<String>)> {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if !name.starts_with(|c| safe(c) && !".-".contains(c)) || !name.chars().all(safe) {
        let problem = Problem::new(format!("a variant cannot be called `{name}`"));
        let hint = "use letters from a to z, digits, `_`, `-` and `.`, the last two not at its start: it names folders";
        return Some((problem.hint(hint), None));
    }
    let Some(table) = value.as_table() else {
        return Some((
            Problem::new(format!("expected a table for the variant `{name}`")),
            None,
        ));
    };
    let unknown = table.keys().find(|key| !SETTINGS.contains(&key.as_str()))?;
    let problem = Problem::new(format!("unknown key `{unknown}` in the variant `{name}`"));
    let hint = meant_at_top(unknown, SETTINGS);
    Some((problem.maybe_hint(hint), Some(unknown.clone())))
}
