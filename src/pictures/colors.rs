//! Colors that readers with any color vision can tell apart: of classes, of values, of signed values.
//!
//! Knows nothing of what is drawn in them.

use image::Rgb;

pub const WHITE: Rgb<u8> = Rgb([255; 3]);
pub const INK: Rgb<u8> = Rgb([30; 3]);

/// Ten colors for classes (Petroff 2021, "Accessible color sequences for data visualization").
const CLASSES: [[u8; 3]; 10] = [
    [0x3f, 0x90, 0xda],
    [0xff, 0xa9, 0x0e],
    [0xbd, 0x1f, 0x01],
    [0x94, 0xa4, 0xa2],
    [0x83, 0x2d, 0xb6],
    [0xa9, 0x6b, 0x59],
    [0xe7, 0x63, 0x00],
    [0xb9, 0xac, 0x70],
    [0x71, 0x75, 0x81],
    [0x92, 0xda, 0xdd],
];

/// How many classes have a color of their own.
pub const DISTINCT: usize = CLASSES.len();

/// The color of a class; after the last one they begin again.
pub fn of_class(class: usize) -> Rgb<u8> {
    Rgb(CLASSES[class % DISTINCT])
}

/// Colors for the numbers from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// Dark to bright: values.
    Viridis,
    /// Blue below the middle, which is white, and red above it: signed values.
    Diverging,
    /// White to dark blue: shares of a table, which is read as numbers too.
    Blues,
}

/// Viridis of Matplotlib, and RdBu (turned about) and Blues of ColorBrewer, in even steps.
const VIRIDIS: &[[u8; 3]] = &[
    [68, 1, 84],
    [72, 36, 117],
    [65, 68, 135],
    [53, 95, 141],
    [42, 120, 142],
    [33, 145, 140],
    [34, 168, 132],
    [68, 191, 112],
    [122, 209, 81],
    [189, 223, 38],
    [253, 231, 37],
];
const DIVERGING: &[[u8; 3]] = &[
    [5, 48, 97],
    [33, 102, 172],
    [67, 147, 195],
    [146, 197, 222],
    [209, 229, 240],
    [255, 255, 255],
    [253, 219, 199],
    [244, 165, 130],
    [214, 96, 77],
    [178, 24, 43],
    [103, 0, 31],
];
const BLUES: &[[u8; 3]] = &[
    [255, 255, 255],
    [222, 235, 247],
    [198, 219, 239],
    [158, 202, 225],
    [107, 174, 214],
    [66, 146, 198],
    [33, 113, 181],
    [8, 81, 156],
    [8, 48, 107],
];

impl Map {
    /// The color of a number, which is brought into [0, 1]; a NaN is drawn as 0.
    pub fn color(self, value: f32) -> Rgb<u8> {
        let value = if value.is_nan() { 0.0 } else { value };
        let value = value.clamp(0.0, 1.0);
        let steps = match self {
            Map::Viridis => VIRIDIS,
            Map::Diverging => DIVERGING,
            Map::Blues => BLUES,
        };
        let place = value * (steps.len() - 1) as f32;
        let below = (place as usize).min(steps.len() - 2);
        let share = place - below as f32;
        let mix = |channel: usize| {
            let (from, to) = (steps[below][channel], steps[below + 1][channel]);
            (f32::from(from) + share * (f32::from(to) - f32::from(from))).round() as u8
        };
        Rgb([mix(0), mix(1), mix(2)])
    }
}

/// Black or white, whichever can be read on this color (relative luminance as WCAG 2 weighs it).
pub fn readable_on(Rgb([red, green, blue]): Rgb<u8>) -> Rgb<u8> {
    let light = 0.2126 * f32::from(red) + 0.7152 * f32::from(green) + 0.0722 * f32::from(blue);
    if light > 140.0 { INK } else { WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_reach_both_ends_and_stand_for_what_is_no_number() {
        assert_eq!(Map::Viridis.color(0.0), Rgb([68, 1, 84]));
        assert_eq!(Map::Viridis.color(1.0), Rgb([253, 231, 37]));
        assert_eq!(Map::Viridis.color(7.0), Map::Viridis.color(1.0));
        assert_eq!(Map::Diverging.color(0.5), WHITE);
        assert_eq!(Map::Diverging.color(0.05), Rgb([19, 75, 135]));
        assert_eq!(Map::Viridis.color(f32::NAN), Rgb([68, 1, 84]));
        assert_eq!(Map::Blues.color(f32::NEG_INFINITY), WHITE);
    }

    #[test]
    fn letters_can_be_read_on_every_color() {
        assert_eq!(readable_on(WHITE), INK);
        assert_eq!(readable_on(Map::Blues.color(1.0)), WHITE);
    }

    /// Colors of classes as seen without one kind of cones (Machado et al. 2009, severity 1).
    #[test]
    fn classes_differ_for_color_blind_readers_too() {
        const PROTANOPIA: [[f32; 3]; 3] = [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ];
        const DEUTERANOPIA: [[f32; 3]; 3] = [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ];
        let linear = |byte: u8| (f32::from(byte) / 255.0).powf(2.2);
        for eye in [PROTANOPIA, DEUTERANOPIA] {
            let seen: Vec<[f32; 3]> = CLASSES
                .iter()
                .map(|color| {
                    let light = color.map(linear);
                    let cone = |row: [f32; 3]| -> f32 {
                        let sum: f32 = row.iter().zip(light).map(|(a, b)| a * b).sum();
                        sum.clamp(0.0, 1.0).powf(1.0 / 2.2) * 255.0
                    };
                    eye.map(cone)
                })
                .collect();
            for (index, one) in seen.iter().enumerate() {
                for other in &seen[..index] {
                    let squares = one.iter().zip(other).map(|(a, b)| (a - b) * (a - b));
                    let distance = squares.sum::<f32>().sqrt();
                    assert!(distance > 20.0, "{index}: {distance}");
                }
            }
        }
    }
}
