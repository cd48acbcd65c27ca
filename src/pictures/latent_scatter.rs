//! `latent_scatter`: codes of test images as points, colored by class, and as numbers.

use std::sync::Once;

use image::{Rgb, RgbImage};
use plotters::coord::Shift;
use plotters::element::{Circle, Cross, TriangleMarker};
use plotters::prelude::{BitMapBackend, ChartBuilder, DrawingArea, IntoDrawingArea};
use plotters::style::{
    Color, FontStyle, IntoFont, RGBColor, ShapeStyle, TRANSPARENT, TextStyle, register_font,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{Align, CAPTION, TITLE, beside, blank, width_of, write, write_in};
use super::colors::{DISTINCT, INK, WHITE, of_class};
use super::principal;
use super::{PictureContext, PictureFields, PictureInput, PictureOutput, above};
use crate::error::Flaw;
use crate::models::Ability;
use crate::record::csv;
use crate::value::Positive;

/// A point for the code of each of the first test images, with a legend. Codes of two features are drawn
/// as they are, others along their first two principal components. Beside the picture lies a CSV file with
/// image, class and code, or the two components where a code has more than 64 features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LatentScatter {
    /// What its files and its tag in TensorBoard are called. Default `latent_scatter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number of images, or all if there are fewer. Default 10000.
    pub count: Positive,
}

impl Default for LatentScatter {
    fn default() -> Self {
        LatentScatter {
            name: None,
            count: Positive(10_000),
        }
    }
}

/// Features of a code that are written out in the table.
const MOST_COLUMNS: usize = 64;

/// Width and height of the plot.
const SIZE: [u32; 2] = [900, 760];

impl PictureFields for LatentScatter {
    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let kind = context.needs("latent_scatter", Ability::Encode);
        let code = context.model.code.filter(|code| code.len() < 2);
        let flat = code.map(|_| {
            let message =
                "`latent_scatter` needs a code of at least 2 features but the encoder gives 1";
            Flaw::new("", message)
        });
        let count = above("count", self.count.get(), 100_000);
        kind.into_iter().chain(flat).chain(count).collect()
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        let (images, labels) = subject.first(self.count.get());
        let codes = subject.model.encode(images, Some(labels));
        let features = codes.len() / labels.len().max(1);
        if features < 2 {
            return Vec::new();
        }
        let (points, axes) = match features {
            2 => {
                let points = codes
                    .chunks_exact(2)
                    .map(|code| [code[0], code[1]])
                    .collect();
                (points, ["z1".to_string(), "z2".to_string()])
            }
            _ => {
                let plane = principal::plane(&codes, features);
                let axis = |number: usize| {
                    let share = 100.0 * plane.shares[number];
                    format!("PC{} ({share:.1} % of variance)", number + 1)
                };
                let axes = [axis(0), axis(1)];
                (plane.points, axes)
            }
        };
        let table = match features > MOST_COLUMNS {
            true => table(subject, labels, "pc", &points.concat(), 2),
            false => table(subject, labels, "z", &codes, features),
        };
        let plot = plot(subject, &points, labels, &axes);
        let picture = beside(&[plot, legend(subject, labels)], 10);
        vec![
            PictureOutput::Picture(picture),
            PictureOutput::Numbers(table),
        ]
    }
}

/// `image,class,z1,z2`, a row an image.
fn table(
    subject: &PictureInput,
    labels: &[u32],
    letter: &str,
    values: &[f32],
    width: usize,
) -> String {
    let header = ["image".to_string(), "class".to_string()];
    let columns = (1..=width).map(|number| format!("{letter}{number}"));
    let records = labels.iter().zip(values.chunks_exact(width)).enumerate();
    let records = records.map(|(image, (&label, values))| {
        let class = subject.classes.get(label as usize).cloned();
        let start = [image.to_string(), class.unwrap_or_default()];
        let values = values.iter().map(f32::to_string);
        start.into_iter().chain(values).collect::<Vec<String>>()
    });
    let header: Vec<String> = header.into_iter().chain(columns).collect();
    let records = std::iter::once(header).chain(records);
    let bytes = csv("the codes", records).expect("memory takes any record");
    String::from_utf8(bytes).expect("records are texts")
}

/// Values beyond this are of a training gone wrong, and no axis can hold them.
const BEYOND: f32 = 1e30;

/// From the least to the largest value with some room.
fn range(values: impl Iterator<Item = f32>) -> std::ops::Range<f32> {
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    for value in values.filter(|value| value.abs() < BEYOND) {
        low = low.min(value);
        high = high.max(value);
    }
    if low > high {
        return 0.0..1.0;
    }
    let room = match high - low > 1e-6 * low.abs() {
        true => 0.04 * (high - low),
        // All codes the same: an axis that collapsed.
        false => low.abs().max(1.0) * 0.5,
    };
    low - room..high + room
}

/// A number at an axis in four digits.
fn tick(value: f32) -> String {
    let rounded: f32 = format!("{value:.3e}").parse().unwrap_or(value);
    // What plotters calls 0 is the sum of its steps, and no -0.
    match rounded.abs() < 1e-6 {
        true => "0".to_string(),
        false => rounded.to_string(),
    }
}

/// The font that plotters knows by this name; it draws no letters but those of the axes.
const FONT: &str = "sans-serif";

fn area(picture: &mut RgbImage) -> DrawingArea<BitMapBackend<'_>, Shift> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // A font that cannot be read shows when the first letter is drawn.
        let _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
    let size = picture.dimensions();
    BitMapBackend::with_buffer(picture, size).into_drawing_area()
}

fn letters(size: u32) -> TextStyle<'static> {
    let Rgb([red, green, blue]) = INK;
    (FONT, size).into_font().color(&RGBColor(red, green, blue))
}

/// The points between axes with these names, and the name of each class at the middle of its points.
fn plot(
    subject: &PictureInput,
    points: &[[f32; 2]],
    labels: &[u32],
    axes: &[String; 2],
) -> RgbImage {
    let mut picture = blank(SIZE[0], SIZE[1]);
    let [across, upwards] = [0, 1].map(|axis| range(points.iter().map(|point| point[axis])));
    let shown: Vec<([f32; 2], u32)> = points
        .iter()
        .zip(labels)
        .filter(|(point, _)| point.iter().all(|value| value.abs() < BEYOND))
        .map(|(&point, &label)| (point, label))
        .collect();
    let names: Vec<(u32, (i32, i32))> = {
        let area = area(&mut picture);
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(50)
            .y_label_area_size(70)
            .build_cartesian_2d(across, upwards)
            .expect("memory takes any plot");
        chart
            .configure_mesh()
            .bold_line_style(RGBColor(225, 225, 225))
            .light_line_style(TRANSPARENT)
            .x_desc(&axes[0])
            .y_desc(&axes[1])
            .axis_desc_style(letters(TITLE))
            .label_style(letters(CAPTION))
            .x_label_formatter(&|value| tick(*value))
            .y_label_formatter(&|value| tick(*value))
            .draw()
            .expect("memory takes any plot");
        // Classes past the last color have other shapes.
        let of = |shape: usize| {
            let own = shown
                .iter()
                .filter(move |(_, label)| shape_of(*label) == shape);
            own.map(|&([x, y], label)| ((x, y), style(label)))
        };
        let circles = of(0).map(|(at, style)| Circle::new(at, 2, style));
        let triangles = of(1).map(|(at, style)| TriangleMarker::new(at, 4, style));
        let crosses = of(2).map(|(at, style)| Cross::new(at, 3, style));
        let drawn = chart.draw_series(circles).map(|_| ());
        let drawn = drawn.and_then(|()| chart.draw_series(triangles).map(|_| ()));
        let drawn = drawn.and_then(|()| chart.draw_series(crosses).map(|_| ()));
        drawn.expect("memory takes any plot");
        let place = |(label, [x, y]): (u32, [f32; 2])| (label, chart.backend_coord(&(x, y)));
        middles(&shown).into_iter().map(place).collect()
    };
    for (label, (x, y)) in names {
        let at = [x.max(0) as u32, y.max(0) as u32];
        write_over(&mut picture, &subject.class(label), at);
    }
    picture
}

/// 0 for a circle, 1 for a triangle, 2 for a cross.
fn shape_of(label: u32) -> usize {
    (label as usize / DISTINCT).min(2)
}

fn style(label: u32) -> ShapeStyle {
    let Rgb([red, green, blue]) = of_class(label as usize);
    RGBColor(red, green, blue).mix(0.7).filled()
}

/// The median of each class's points, axis by axis.
fn middles(points: &[([f32; 2], u32)]) -> Vec<(u32, [f32; 2])> {
    let mut labels: Vec<u32> = points.iter().map(|(_, label)| *label).collect();
    labels.sort_unstable();
    labels.dedup();
    let median = |label: u32, axis: usize| {
        let own = points.iter().filter(|(_, other)| *other == label);
        let mut values: Vec<f32> = own.map(|(point, _)| point[axis]).collect();
        values.sort_by(f32::total_cmp);
        values[values.len() / 2]
    };
    let middle = |label: u32| (label, [median(label, 0), median(label, 1)]);
    labels.into_iter().map(middle).collect()
}

/// Dark letters with a white border, to be read on any points.
fn write_over(picture: &mut RgbImage, text: &str, [x, y]: [u32; 2]) {
    const SIZE: u32 = 26;
    for (right, down) in (0..5).flat_map(|right| (0..5).map(move |down| (right, down))) {
        let at = [(x + right).saturating_sub(2), (y + down).saturating_sub(2)];
        write_in(picture, text, at, Align::Middle, SIZE, WHITE);
    }
    write(picture, text, [x, y], Align::Middle, SIZE);
}

/// The marks of the classes that are there, with their names.
fn legend(subject: &PictureInput, labels: &[u32]) -> RgbImage {
    const LINE: u32 = 24;
    let mut there: Vec<u32> = labels.to_vec();
    there.sort_unstable();
    there.dedup();
    let named = |&label: &u32| {
        let shape = ["", " (triangle)", " (cross)"][shape_of(label)];
        format!("{}{shape}", subject.class(label))
    };
    let names: Vec<String> = there.iter().map(named).collect();
    let widest = names.iter().map(|name| width_of(name, CAPTION)).max();
    let heading = width_of("class", CAPTION);
    let width = widest.unwrap_or(0).max(heading) + 34;
    let mut picture = blank(width, LINE * (there.len() as u32 + 1) + 8);
    write(
        &mut picture,
        "class",
        [0, LINE / 2 + 8],
        Align::Left,
        CAPTION,
    );
    for (row, (label, name)) in there.into_iter().zip(&names).enumerate() {
        let y = LINE * (row as u32 + 1) + LINE / 2 + 8;
        for x in 0..12 {
            for up in 0..12 {
                picture.put_pixel(x, y - 6 + up, of_class(label as usize));
            }
        }
        write(&mut picture, name, [20, y], Align::Left, CAPTION);
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn codes_of_two_features_are_drawn_as_they_are() {
        let fake_input = FakeInput::at(Fake::autoencoder());
        fake_input.save("latent_scatter", "latent_scatter");
        let drawn = LatentScatter::default().draw(&fake_input.subject());
        let [PictureOutput::Picture(_), PictureOutput::Numbers(table)] = &drawn[..] else {
            panic!("a picture and its numbers");
        };
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 61);
        assert_eq!(lines[0], "image,class,z1,z2");
        assert!(lines[1].starts_with("0,seven,"), "{}", lines[1]);
    }

    #[test]
    fn larger_codes_are_seen_along_their_principal_components() {
        let fake_input = FakeInput::at(Fake::autoencoder().with_code(20));
        fake_input.save("latent_scatter_pc", "{ latent_scatter = { count = 50 } }");
    }

    #[test]
    fn ranges_hold_codes_that_collapsed_or_went_wrong() {
        assert_eq!(range([2.0, 2.0].into_iter()), 1.0..3.0);
        assert_eq!(range([f32::NAN, f32::INFINITY].into_iter()), 0.0..1.0);
        assert_eq!(range([0.0, 1.0, 1e38].into_iter()), -0.04..1.04);
        assert_eq!([-1e-8, 0.6000001, -12.5].map(tick), ["0", "0.6", "-12.5"]);
    }

    #[test]
    fn a_code_of_one_feature_has_no_plane() {
        let narrow = Fake::autoencoder().with_code(1);
        assert_eq!(
            messages(narrow, "latent_scatter"),
            [
                "latent_scatter: `latent_scatter` needs a code of at least 2 features but the encoder gives 1"
            ]
        );
        assert_eq!(
            messages(Fake::gan(), "latent_scatter"),
            ["latent_scatter: `latent_scatter` needs an auto-encoder but the model is a GAN"]
        );
    }
}
