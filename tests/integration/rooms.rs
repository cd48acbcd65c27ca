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
