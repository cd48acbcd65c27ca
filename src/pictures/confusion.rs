//! `confusion`: how often a classifier answers what where what is true.

use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{
    Align, CAPTION, TITLE, beside, blank, color_bar, cut, stacked, width_of, write, write_in,
};
use super::colors::{Map, readable_on};
use super::misclassified::{answer, answers};
use super::{PictureContext, PictureFields, PictureInput, PictureOutput};
use crate::error::Flaw;
use crate::models::Ability;

/// A row a true class, a column an answer: the number of test images, its color the share of the row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Confusion {
    /// What its files and its tag in TensorBoard are called. Default `confusion`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Classes up to which there is room for numbers.
const NUMBERED: usize = 30;

impl PictureFields for Confusion {
    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        context
            .needs("confusion", Ability::Classify)
            .into_iter()
            .collect()
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        let Some(answers) = answers(subject) else {
            return Vec::new();
        };
        let classes = subject.model.facts().classes;
        let mut counts = vec![vec![0; classes]; classes];
        for (scores, &truth) in answers.iter().zip(subject.labels) {
            counts[truth as usize][answer(scores)] += 1;
        }
        let names: Vec<String> = (0..classes as u32)
            .map(|label| subject.class(label))
            .collect();
        vec![PictureOutput::Picture(matrix(&counts, &names))]
    }
}

/// `counts[truth][answer]` with the names of the classes on both axes.
fn matrix(counts: &[Vec<usize>], names: &[String]) -> RgbImage {
    let widest = |size: u32| names.iter().map(|name| width_of(name, size)).max();
    let is_numbered = counts.len() <= NUMBERED;
    // A column is as wide as the name below it, if that leaves the whole within a screen.
    let wanted = (widest(CAPTION).unwrap_or(0) + 8).clamp(46, 110);
    let (width, height) = match is_numbered {
        true => (wanted, 38),
        false => (12, 12),
    };
    let side = [width * counts.len() as u32, height * counts.len() as u32];
    let left = widest(CAPTION).unwrap_or(0) + 10;
    let mut cells = blank(left + side[0], side[1] + 6);
    for (row, answers) in counts.iter().enumerate() {
        let all: usize = answers.iter().sum();
        for (column, &count) in answers.iter().enumerate() {
            let share = count as f32 / all.max(1) as f32;
            let corner = [left + column as u32 * width, row as u32 * height];
            cell(&mut cells, corner, [width, height], share);
            if is_numbered && count > 0 {
                let middle = [corner[0] + width / 2, corner[1] + height / 2];
                let color = readable_on(Map::Blues.color(share));
                let text = count.to_string();
                write_in(&mut cells, &text, middle, Align::Middle, CAPTION, color);
            }
        }
    }
    let every = (CAPTION as usize).div_ceil(height as usize);
    for (row, name) in names.iter().enumerate().step_by(every) {
        let y = row as u32 * height + height / 2;
        write(&mut cells, name, [left - 8, y], Align::Right, CAPTION);
    }
    let below = match is_numbered {
        true => under(names, left, width),
        false => blank(1, 1),
    };
    let mut answer = blank(left + side[0], TITLE + 4);
    let middle = [left + side[0] / 2, TITLE / 2 + 2];
    write(&mut answer, "answer", middle, Align::Middle, TITLE);
    let mut truth = blank(width_of("truth", TITLE), side[1]);
    write(&mut truth, "truth", [0, side[1] / 2], Align::Left, TITLE);
    let bar = color_bar(
        Map::Blues,
        side[1].min(300),
        "0 %",
        None,
        "100 % of the row",
    );
    let body = stacked(&[cells, below, answer], 2);
    beside(&[truth, body, bar], 12)
}

fn cell(picture: &mut RgbImage, [x, y]: [u32; 2], [width, height]: [u32; 2], share: f32) {
    let color = Map::Blues.color(share);
    let line = image::Rgb([205; 3]);
    for right in 0..width {
        for down in 0..height {
            let is_border = right == 0 || down == 0 || right + 1 == width || down + 1 == height;
            let is_line = is_border && width > 12;
            picture.put_pixel(x + right, y + down, if is_line { line } else { color });
        }
    }
}

/// The names under the columns: those too wide for theirs in two lines in turn, so that each has the room of two columns.
fn under(names: &[String], left: u32, width: u32) -> RgbImage {
    let is_crowded = names.iter().any(|name| width_of(name, CAPTION) + 4 > width);
    let lines = if is_crowded { 2 } else { 1 };
    let beside = (lines - 1) * width / 2;
    let mut picture = blank(
        left + width * names.len() as u32 + beside,
        lines * (CAPTION + 4),
    );
    for (column, name) in names.iter().enumerate() {
        let x = left + column as u32 * width + width / 2;
        let line = column as u32 % lines;
        let y = line * (CAPTION + 4) + CAPTION / 2 + 2;
        let name = cut(name, CAPTION, lines * width - 4);
        write(&mut picture, &name, [x, y], Align::Middle, CAPTION);
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn the_diagonal_of_a_good_classifier_is_dark() {
        let counts = vec![vec![9, 1], vec![0, 0]];
        let names = ["cat".to_string(), "dog".to_string()];
        let picture = matrix(&counts, &names);
        let dark = Map::Blues.color(0.9);
        assert!(picture.pixels().filter(|pixel| **pixel == dark).count() > 500);
        FakeInput::at(Fake::classifier()).save("confusion", "confusion");
    }

    #[test]
    fn many_classes_are_drawn_without_numbers() {
        let counts: Vec<Vec<usize>> = (0..100)
            .map(|row| (0..100).map(|column| usize::from(row == column)).collect())
            .collect();
        let names: Vec<String> = (0..100).map(|class| format!("class {class}")).collect();
        let picture = matrix(&counts, &names);
        assert!(picture.width() < 1800 && picture.height() < 1400);
        look("confusion_100", &picture);
    }

    #[test]
    fn long_names_stay_within_the_picture() {
        let counts = vec![vec![1; 3]; 3];
        let names = ["a", "b", "a class with a name of 24"].map(String::from);
        let picture = matrix(&counts, &names);
        let edge = picture.width() - 1;
        let paper = *picture.get_pixel(edge, 0);
        assert!((0..picture.height()).all(|y| *picture.get_pixel(edge, y) == paper));
        look("confusion_long", &picture);
    }

    #[test]
    fn only_classifiers_are_confused() {
        assert_eq!(
            messages(Fake::autoencoder(), "confusion"),
            ["confusion: `confusion` needs a classifier but the model is an auto-encoder"]
        );
    }
}
