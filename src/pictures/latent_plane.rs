//! `latent_plane`: images decoded from an even grid of codes.

use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{
    Align, CAPTION, Grid, TITLE, beside, blank, enlargement, stacked, width_of, write,
};
use super::{PictureContext, PictureFields, PictureInput, PictureOutput};
use crate::error::Flaw;
use crate::value::{PositiveReal, Real};

/// The images of all codes `[z1, z2]` from `from` to `to`: z1 grows to the right, z2 upwards. A model that
/// is conditional gets the first class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LatentPlane {
    /// What its files and its tag in TensorBoard are called. Default `latent_plane`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Least value of both axes. Default -3.
    pub from: Real,
    /// Largest value of both axes. Default 3.5.
    pub to: Real,
    /// From one code to the next; at most 40 codes along an axis. Default 0.5.
    pub step: PositiveReal,
}

impl Default for LatentPlane {
    fn default() -> Self {
        LatentPlane {
            name: None,
            from: Real(-3.0),
            to: Real(3.5),
            step: PositiveReal(0.5),
        }
    }
}

const MOST: f64 = 40.0;

impl LatentPlane {
    /// The values along an axis, `to` among them although sums of steps are not exact.
    fn values(&self) -> Vec<f32> {
        let steps = (self.to.get() - self.from.get()) / self.step.get();
        let value = |index: usize| (self.from.get() + index as f64 * self.step.get()) as f32;
        (0..=(steps + 1e-6).floor() as usize).map(value).collect()
    }
}

impl PictureFields for LatentPlane {
    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        flaws.extend(context.features("latent_plane", "2 features", |features| features == 2));
        let (from, to) = (self.from.get(), self.to.get());
        if from >= to {
            let message = format!("`to` must be above `from`: it goes from {from} to {to}");
            flaws.push(Flaw::new("to", message));
        } else if (to - from) / self.step.get() + 1.0 > MOST + 1e-6 {
            let message = format!("makes more than {MOST} codes along an axis");
            flaws.push(Flaw::new("step", message).hint("a larger step, or a smaller range"));
        }
        flaws
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        // Stages may leave layers out.
        if subject
            .model
            .facts()
            .code
            .is_none_or(|code| code.len() != 2)
        {
            return Vec::new();
        }
        let values = self.values();
        let rows = values.iter().rev();
        let codes = rows.flat_map(|&z2| values.iter().flat_map(move |&z1| [z1, z2]));
        let codes: Vec<f32> = codes.collect();
        let labels = vec![0; values.len() * values.len()];
        let pixels = subject.model.decode(&codes, Some(&labels));
        let shape = subject.shape();
        let times = enlargement([shape.width, shape.height], values.len(), 56);
        let mut grid = Grid::new(subject.tiles(&pixels, times), values.len());
        grid.rows = values
            .iter()
            .rev()
            .map(|value| axis_number(*value))
            .collect();
        let cells = grid.draw();
        let left = cells.width() - columns_width(shape.width as u32 * times, values.len());
        let ticks = ticks(&values, shape.width as u32 * times, left, cells.width());
        let z1 = axis_name("z1", left, cells.width());
        let z2 = upright("z2", cells.height());
        vec![PictureOutput::Picture(beside(
            &[z2, stacked(&[cells, ticks, z1], 2)],
            6,
        ))]
    }
}

fn columns_width(tile: u32, count: usize) -> u32 {
    count as u32 * (tile + super::canvas::GAP) - super::canvas::GAP
}

fn axis_number(value: f32) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    // No -0.
    format!("{}", if rounded == 0.0 { 0.0 } else { rounded })
}

/// The numbers under the columns, those that have room.
fn ticks(values: &[f32], tile: u32, left: u32, width: u32) -> RgbImage {
    let texts: Vec<String> = values.iter().map(|value| axis_number(*value)).collect();
    let widest = texts.iter().map(|text| width_of(text, CAPTION)).max();
    let cell = tile + super::canvas::GAP;
    let every = (widest.unwrap_or(0) + 6).div_ceil(cell).max(1) as usize;
    let mut line = blank(width, CAPTION + 4);
    for (index, text) in texts.iter().enumerate().step_by(every) {
        let x = left + index as u32 * cell + tile / 2;
        write(
            &mut line,
            text,
            [x, CAPTION / 2 + 2],
            Align::Middle,
            CAPTION,
        );
    }
    line
}

/// A name under the middle of an axis.
fn axis_name(name: &str, left: u32, width: u32) -> RgbImage {
    let mut line = blank(width, TITLE + 4);
    let middle = left + (width - left) / 2;
    write(
        &mut line,
        name,
        [middle, TITLE / 2 + 2],
        Align::Middle,
        TITLE,
    );
    line
}

/// A name at half the height.
fn upright(name: &str, height: u32) -> RgbImage {
    let mut column = blank(width_of(name, TITLE), height);
    write(&mut column, name, [0, height / 2], Align::Left, TITLE);
    column
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn fourteen_codes_lie_along_an_axis() {
        let values = LatentPlane::default().values();
        assert_eq!(values.len(), 14);
        assert_eq!((values[0], values[13]), (-3.0, 3.5));
        let tenths = LatentPlane {
            from: Real(0.0),
            to: Real(0.3),
            step: PositiveReal(0.1),
            ..LatentPlane::default()
        };
        assert_eq!(tenths.values().len(), 4);
        FakeInput::at(Fake::autoencoder()).save("latent_plane", "latent_plane");
    }

    #[test]
    fn z1_grows_to_the_right_and_z2_upwards() {
        // The fake decoder draws a bright dot at the code.
        let fake_input = FakeInput::at(Fake::autoencoder());
        let decoded = fake_input.subject().model.decode(&[3.0, 3.0], None);
        let brightest = (0..decoded.len()).max_by(|&a, &b| decoded[a].total_cmp(&decoded[b]));
        let brightest = brightest.unwrap();
        assert!(brightest % 28 > 14 && brightest / 28 < 14);
    }

    #[test]
    fn codes_of_another_size_have_no_plane() {
        let wide = Fake::autoencoder().with_code(20);
        assert_eq!(
            messages(wide, "latent_plane"),
            ["latent_plane: `latent_plane` needs a code of 2 features but the encoder gives 20"]
        );
        assert_eq!(
            messages(Fake::gan(), "{ latent_plane = { from = 1, to = 1 } }"),
            [
                "latent_plane: `latent_plane` needs a code of 2 features but the generator takes 10",
                "latent_plane.to: `to` must be above `from`: it goes from 1 to 1"
            ]
        );
        assert_eq!(
            messages(Fake::autoencoder(), "{ latent_plane = { step = 0.01 } }"),
            ["latent_plane.step: makes more than 40 codes along an axis"]
        );
    }
}
