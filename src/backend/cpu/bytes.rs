//! Images whose values are bytes, four in a word, and what stands for each.

use rayon::prelude::*;

use super::SHARED;
use crate::shape::ImageShape;

/// What a byte can be.
const KINDS: usize = 256;

/// Writes the images of `chosen`, `[chosen, channels, height, width]`, where each byte becomes what stands for it in
/// `meanings`, `[channels, 256]`; of `words`, `[images, words]`, the lowest byte comes first.
///
/// # Panics
/// There is no such image, or the sizes do not fit.
pub fn look_up(words: &[i32], chosen: &[usize], meanings: &[f32], shape: ImageShape) -> Vec<f32> {
    let (size, plane) = (shape.len(), shape.height * shape.width);
    let mut made = vec![0.0; chosen.len() * size];
    if made.is_empty() {
        return made;
    }
    let width = size.div_ceil(4);
    let (meanings, rest) = meanings.as_chunks::<KINDS>();
    assert!(meanings.len() == shape.channels && rest.is_empty());
    let at_once = SHARED.div_ceil(size);
    made.par_chunks_mut(at_once * size)
        .zip(chosen.par_chunks(at_once))
        .for_each(|(made, chosen)| {
            for (image, &number) in made.chunks_exact_mut(size).zip(chosen) {
                let words = &words[number * width..][..width];
                let planes = image.chunks_exact_mut(plane).zip(meanings);
                for (channel, (values, meanings)) in planes.enumerate() {
                    for (value, at) in values.iter_mut().zip(channel * plane..) {
                        let byte = (words[at / 4] >> (8 * (at % 4))) as u8;
                        *value = meanings[usize::from(byte)];
                    }
                }
            }
        });
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_meaning_in_its_channel() {
        // Planes of three values lie across words.
        let shape = ImageShape::new(2, 1, 3);
        let images = [[0u8, 1, 2, 253, 254, 255], [9, 8, 7, 6, 5, 4]];
        let word = |bytes: &[u8]| {
            let byte = |at| bytes.get(at).copied().unwrap_or(77);
            i32::from_le_bytes([0, 1, 2, 3].map(byte))
        };
        let words: Vec<i32> = images
            .iter()
            .flat_map(|image| image.chunks(4).map(word))
            .collect();
        let meanings: Vec<f32> = (0..512).map(|number| number as f32).collect();
        assert_eq!(
            look_up(&words, &[1, 0, 1], &meanings, shape),
            [
                9, 8, 7, 262, 261, 260, 0, 1, 2, 509, 510, 511, 9, 8, 7, 262, 261, 260
            ]
            .map(|value| value as f32)
        );
        assert!(look_up(&words, &[], &meanings, shape).is_empty());
        let beyond = || look_up(&words, &[2], &meanings, shape);
        assert!(std::panic::catch_unwind(beyond).is_err());
    }
}
