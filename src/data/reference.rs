//! Reading images against Pillow's answers for files of every kind.
//!
//! Files and answers are committed; the script beside them makes them anew.

use std::path::Path;

use serde::Deserialize;

use super::folder::FolderFields;
use super::image_form::{Formed, Pixels};
use super::pixels::{decode, header};
use crate::shape::ImageShape;

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/images");

#[derive(Deserialize)]
struct Case {
    file: String,
    form: serde_json::Map<String, serde_json::Value>,
    shape: [usize; 3],
    values: Vec<i32>,
}

/// By how many steps values may differ from Pillow's, on average and at most.
fn tolerance(case: &Case) -> (f64, i32) {
    let is_deep = case.file.starts_with("sixteen");
    let is_lossy = case.file.ends_with(".jpg") || case.file == "lossy.webp";
    match (is_lossy, case.form.contains_key("size")) {
        // Colors that are kept at half the size are made whole again in another way.
        (true, _) => (3.0, 40),
        // Pillow rounds between rows and columns, and weights to 22 bits.
        (false, true) if !is_deep => (0.3, 1),
        (false, true) => (1.0, 2),
        (false, false) => (0.05, 1),
    }
}

#[test]
fn images_are_read_as_pillow_reads_them() {
    let text = std::fs::read_to_string(format!("{PEER}/answers.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let mut table = case.form.clone();
        table.insert("path".to_string(), "somewhere".into());
        let form = serde_json::from_value::<FolderFields>(table.into())
            .unwrap()
            .form;
        let path = format!("{PEER}/files/{}", case.file);
        let decoded = match decode(&std::fs::read(&path).unwrap()) {
            Ok(decoded) => decoded,
            Err(error) => {
                wrong.push(format!("{path}: {error}"));
                continue;
            }
        };
        let Formed { shape, pixels } = form.form(decoded.image);
        let [channels, height, width] = case.shape;
        assert_eq!(shape, ImageShape::new(channels, height, width), "{path}");
        assert_eq!(form.shape(header(Path::new(&path)).unwrap().shape), shape);
        let found: Vec<i32> = match pixels {
            Pixels::Eight(values) => values.into_iter().map(i32::from).collect(),
            Pixels::Sixteen { values, .. } => values.into_iter().map(i32::from).collect(),
        };
        let pairs = found.iter().zip(&case.values);
        let differences: Vec<i32> = pairs.map(|(one, other)| (one - other).abs()).collect();
        assert_eq!(differences.len(), case.values.len());
        let mean = differences.iter().sum::<i32>() as f64 / differences.len() as f64;
        let largest = differences.into_iter().max().unwrap_or(0);
        let (most_mean, most) = tolerance(case);
        let line = format!(
            "{} {:?}: {mean:.3}, at most {largest}",
            case.file, case.form
        );
        println!("{line}");
        if mean > most_mean || largest > most {
            wrong.push(line);
        }
    }
    assert!(cases.len() > 100);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
