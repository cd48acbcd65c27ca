//! The files of a room: none needs one that needs it in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::rooms::{is_of_tests, rooms};

/// The files (and folders) of a room with those beside them that each one names, tests left out; `name` is the room's.
fn neighbors(room: &Path, name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let texts: BTreeMap<String, String> = fs::read_dir(room)
        .expect("a room is a folder")
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| !path.ends_with("mod.rs"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            (name.into_owned(), text_of(&path))
        })
        .collect();
    let whole = format!("crate::{name}::");
    let named = |name: &String, text: &String| {
        let words = ["super::", &whole].into_iter();
        let words: BTreeSet<String> = words.flat_map(|path| words_after(text, path)).collect();
        let others = words.into_iter().filter(|word| word != name);
        others.filter(|word| texts.contains_key(word)).collect()
    };
    let edges = |(name, text): (&String, &String)| (name.clone(), named(name, text));
    texts.iter().map(edges).collect()
}

/// The code of a file, or of all files of a folder, without its tests and comments.
fn text_of(path: &Path) -> String {
    let files = walkdir::WalkDir::new(path).into_iter();
    let files = files.filter_map(Result::ok).filter(|entry| {
        let path = entry.path();
        path.extension().is_some_and(|ending| ending == "rs") && !is_of_tests(path)
    });
    let code = |entry: walkdir::DirEntry| {
        let text = fs::read_to_string(entry.path()).expect("a source file");
        let text = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or_default();
        let lines = text.lines();
        let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    files.map(code).collect::<Vec<_>>().join("\n")
}

/// The words that stand right after a path, alone or in braces.
fn words_after(text: &str, path: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        let letter = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        text.chars().take_while(letter).collect()
    };
    let after = text.split(path).skip(1);
    after
        .flat_map(|rest| match rest.strip_prefix('{') {
            None => vec![word(rest)],
            Some(list) => items(list)
                .into_iter()
                .map(|item| word(item.trim()))
                .collect(),
        })
        .collect()
}

/// What a list in braces holds, of the text behind its first brace; a list inside is a part of its item.
fn items(text: &str) -> Vec<&str> {
    let (mut items, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                items.push(&text[start..at]);
                break;
            }
            ',' if depth == 0 => {
                items.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

/// All that a file needs in the end.
fn needed<'a>(
    edges: &'a BTreeMap<String, BTreeSet<String>>,
    from: &'a str,
    found: &mut BTreeSet<&'a str>,
) {
    for next in &edges[from] {
        if found.insert(next) {
            needed(edges, next, found);
        }
    }
}

#[test]
fn files_of_a_room_do_not_go_in_circles() {
    let mut circles = Vec::new();
    for room in rooms() {
        let folder = Path::new("src").join(&room);
        if !folder.is_dir() {
            continue;
        }
        let edges = neighbors(&folder, &room);
        for name in edges.keys() {
            let mut found = BTreeSet::new();
            needed(&edges, name, &mut found);
            if found.contains(name.as_str()) {
                circles.push(format!("{room}/{name}"));
            }
        }
    }
    assert!(circles.is_empty(), "{circles:?}");
}

#[test]
fn a_circle_is_found() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("the file is written");
    };
    file("mod.rs", "mod one;\nmod two;\nmod three;\nmod four;\n");
    file(
        "one.rs",
        "use super::{Thing, two::{Other, More}};\nuse crate::above::{four, Trait};\n",
    );
    file(
        "two.rs",
        "// use super::three\nfn f() { super::one::f() }\n",
    );
    file(
        "three.rs",
        "use super::one;\n#[cfg(test)]\nmod tests { use super::three; }\n",
    );
    fs::create_dir(folder.path().join("four")).expect("a folder of the room");
    file("four/mod.rs", "mod inner;\n");
    file(
        "four/inner.rs",
        "use crate::room::{other::one, three::{Part, Piece}, two};\n",
    );
    let edges = neighbors(folder.path(), "room");
    let named = |name: &str| edges[name].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(
        (named("one"), named("two"), named("three")),
        (vec!["two"], vec!["one"], vec!["one"])
    );
    assert_eq!(named("four"), ["three", "two"]);
    let mut found = BTreeSet::new();
    needed(&edges, "three", &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["one", "two"]);
}
