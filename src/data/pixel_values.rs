//! Values of pixels in memory, of any number of images.

use std::borrow::Cow;
use std::ops::Range;

/// Values of pixels, `[images, channels, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub enum PixelValues {
    /// As most files hold them: from 0 for black to 255 for white.
    Bytes(Vec<u8>),
    /// From 0 for black to 1 for white.
    Reals(Vec<f32>),
}

/// The values from 0 to 1 that bytes stand for.
fn reals(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.iter().map(|&value| f32::from(value) / 255.0)
}

impl PixelValues {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            PixelValues::Bytes(values) => values.len(),
            PixelValues::Reals(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values from 0 to 1.
    pub fn reals(&self) -> Cow<'_, [f32]> {
        self.some(0..self.len())
    }

    /// Some of the values from 0 to 1; panics if there are fewer.
    pub fn some(&self, range: Range<usize>) -> Cow<'_, [f32]> {
        match self {
            PixelValues::Bytes(values) => reals(&values[range]).collect(),
            PixelValues::Reals(values) => Cow::Borrowed(&values[range]),
        }
    }

    /// All values from 0 to 1, in the room that they have where they are such already.
    pub fn into_reals(self) -> Vec<f32> {
        match self {
            PixelValues::Bytes(values) => reals(&values).collect(),
            PixelValues::Reals(values) => values,
        }
    }

    /// Appends the pixels of more images.
    pub fn append(&mut self, more: PixelValues) {
        match (&mut *self, more) {
            (_, more) if more.is_empty() => {}
            (PixelValues::Bytes(values), PixelValues::Bytes(more)) => values.extend(more),
            (_, more) => {
                let mut values =
                    std::mem::replace(self, PixelValues::Bytes(Vec::new())).into_reals();
                values.extend_from_slice(&more.reals());
                *self = PixelValues::Reals(values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_bytes_until_others_join_them() {
        let mut pixels = PixelValues::Bytes(vec![0, 255]);
        pixels.append(PixelValues::Reals(Vec::new()));
        pixels.append(PixelValues::Bytes(vec![51]));
        assert_eq!(pixels, PixelValues::Bytes(vec![0, 255, 51]));
        assert_eq!(*pixels.some(1..3), [1.0, 0.2]);
        pixels.append(PixelValues::Reals(vec![0.25]));
        assert_eq!(pixels, PixelValues::Reals(vec![0.0, 1.0, 0.2, 0.25]));
        pixels.append(PixelValues::Bytes(vec![255]));
        assert_eq!(pixels.into_reals(), [0.0, 1.0, 0.2, 0.25, 1.0]);
    }
}
