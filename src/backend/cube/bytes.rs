//! Images whose values are bytes, four in a word, and what stands for each.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{UNITS, array, check, contiguous, cubes, empty, units};
use crate::shape::ImageShape;

/// A unit a value: of the images of `chosen`, each beginning `width` words after the one before it, with the lowest byte of a
/// word first.
#[cube(launch_unchecked)]
fn kernel(
    words: &Array<i32>,
    chosen: &Array<i32>,
    meanings: &Array<f32>,
    out: &mut Array<f32>,
    values: usize,
    size: usize,
    plane: usize,
    width: usize,
) {
    let at = ABSOLUTE_POS;
    if at < values {
        let place = at % size;
        let word = words[chosen[at / size] as usize * width + place / 4];
        let byte = (u32::cast_from(word) >> u32::cast_from(place % 4 * 8)) & 255u32;
        out[at] = meanings[place / plane * 256 + byte as usize];
    }
}

/// [`Passes::look_up`](crate::backend::passes::Passes::look_up)
pub(super) fn look_up<R: CubeRuntime>(
    words: CubeTensor<R>,
    chosen: CubeTensor<R>,
    meanings: CubeTensor<R>,
    shape: ImageShape,
) -> CubeTensor<R> {
    let [chosen, meanings] = [chosen, meanings].map(contiguous);
    let [count] = chosen.meta.shape().dims();
    // Rows may be padded: without that all images would be copied for every batch.
    let words = match words.meta.strides()[1] {
        1 => words,
        _ => contiguous(words),
    };
    let width = words.meta.strides()[0];
    check(words.meta.shape()[0] * width);
    let out = empty(
        &meanings,
        &[count, shape.channels, shape.height, shape.width],
    );
    // SAFETY: a unit looks at the number of values before it reads or writes, images are chosen of those that there
    // are, and a meaning stands for every byte of every channel.
    unsafe {
        kernel::launch_unchecked(
            &out.client,
            cubes(count * shape.len()),
            units(UNITS),
            array(&words),
            array(&chosen),
            array(&meanings),
            array(&out),
            count * shape.len(),
            shape.len(),
            shape.height * shape.width,
            width,
        );
    }
    out
}
