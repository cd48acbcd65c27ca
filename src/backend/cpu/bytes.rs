//! Images whose values are bytes, four in a word, and what stands for each.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::fresh::written;
use crate::shape::ImageShape;

/// What a byte can be.
const KINDS: usize = 256;

/// Images that are worth a thread.
const SHARED: usize = 16;

// A word's lowest byte is its first.
const _: () = assert!(cfg!(target_endian = "little"));

/// The images of `chosen`, `[chosen, channels, height, width]`, where each byte becomes what stands for it in `meanings`,
/// `[channels, 256]`; of `words`, `[images, words]`, the lowest byte comes first.
///
/// # Panics
/// There is no such image, or the sizes do not fit.
pub fn look_up(words: &[i32], chosen: &[usize], meanings: &[f32], shape: ImageShape) -> Vec<f32> {
    let (size, plane) = (shape.len(), shape.height * shape.width);
    let bytes: &[u8] = bytemuck::cast_slice(words);
    let width = size.next_multiple_of(4);
    let (meanings, rest) = meanings.as_chunks::<KINDS>();
    assert!(size > 0 && meanings.len() == shape.channels && rest.is_empty());
    let at_once = chosen.len().div_ceil(rayon::current_num_threads());
    let at_once = at_once.max(SHARED);
    let write = |made: &mut [MaybeUninit<f32>]| {
        made.par_chunks_mut(at_once * size)
            .zip(chosen.par_chunks(at_once))
            .for_each(|(made, chosen)| {
                for (image, &number) in made.chunks_exact_mut(size).zip(chosen) {
                    let bytes = bytes[number * width..][..size].chunks_exact(plane);
                    let planes = image.chunks_exact_mut(plane).zip(bytes).zip(meanings);
                    for ((values, bytes), meanings) in planes {
                        for (value, byte) in values.iter_mut().zip(bytes) {
                            value.write(meanings[usize::from(*byte)]);
                        }
                    }
                }
            });
    };
    // SAFETY: an image has as many planes as there are channels with meanings, and all values of each are written.
    unsafe { written(chosen.len() * size, write) }
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
