//! The rooms of the code: a module uses only those above it in `lib.rs`.

use std::fs;
use std::path::Path;

pub fn rooms() -> Vec<String> {
    let text = fs::read_to_string("src/lib.rs").expect("the crate has a tour");
    let rooms: Vec<String> = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("pub mod ")?
                .strip_suffix(';')
                .map(String::from)
        })
        .collect();
    assert!(rooms.len() > 10, "{rooms:?}");
    rooms
}

/// Whether a file holds tests alone: it is called so, or lies in a folder that is.
pub fn is_of_tests(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests")
}

/// The rooms that a text names after `crate::`.
fn used(text: &str) -> Vec<String> {
    let names = |rest: &str| -> String {
        rest.chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect()
    };
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(names)
        .collect()
}

#[test]
fn a_room_uses_only_the_rooms_above_it() {
    let rooms = rooms();
    let mut wrong = Vec::new();
    for (index, room) in rooms.iter().enumerate() {
        let files = walkdir::WalkDir::new("src")
            .into_iter()
            .filter_map(Result::ok);
        let of_room = files.filter(|entry| {
            let path = entry.path().strip_prefix("src").expect("below src");
            path == Path::new(&format!("{room}.rs")) || path.starts_with(room)
        });
        for entry in of_room.filter(|entry| entry.path().extension().is_some_and(|e| e == "rs")) {
            let text = fs::read_to_string(entry.path()).expect("a source file");
            for name in used(&text) {
                if let Some(at) = rooms.iter().position(|room| *room == name)
                    && at > index
                {
                    wrong.push(format!("{} uses {name}", entry.path().display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The lines of sources, tests left out, that hold one of the patterns once the `others` are taken away.
fn lines_with(patterns: &[&str], others: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new("src")
        .into_iter()
        .filter_map(Result::ok)
    {
        let path = entry.path();
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        if !is_source || path.starts_with("src/backend") || is_of_tests(path) {
            continue;
        }
        let text = fs::read_to_string(path).expect("a source file");
        let code = text.split("\nmod tests {").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = others
                .iter()
                .fold(line.to_string(), |line, other| line.replace(other, ""));
            if patterns.iter().any(|pattern| line.contains(pattern)) {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    found
}

/// Burn's own ways to another shape go wrong on some devices; `backend::reshape` goes around that.
#[test]
fn tensors_get_another_shape_in_one_way_only() {
    let ways = [
        ".reshape(",
        ".flatten(",
        ".flatten::<",
        ".unsqueeze",
        ".squeeze",
    ];
    // Of iterators, and a method of the layer.
    let wrong = lines_with(&ways, &[".flatten()", "self.reshape("]);
    assert!(wrong.is_empty(), "use `backend::reshape`: {wrong:#?}");
}

/// Burn's own functions and sums give other last digits on other processors; `backend::math` does not.
#[test]
fn functions_and_sums_of_tensors_are_our_own() {
    let burns = [
        ".matmul(",
        ".sum_dim(",
        ".mean_dim(",
        ".log1p(",
        ".powf_scalar(",
        "activation::tanh",
        "activation::sigmoid",
        "activation::softmax",
        "activation::log_softmax",
        "activation::relu",
        "activation::silu",
        "module::linear",
        ".random_like(",
        "Tensor::random(",
        "::seed(",
    ];
    let wrong = lines_with(&burns, &[]);
    assert!(wrong.is_empty(), "use `backend::math`: {wrong:#?}");
}
