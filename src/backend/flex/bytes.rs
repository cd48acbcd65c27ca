//! Images of bytes, looked up on the CPU.

use burn::backend::Flex;
use burn::tensor::ops::IntTensor;

use super::plain::{Plain, plain, values, whole_numbers};
use crate::backend::cpu::bytes;
use crate::shape::ImageShape;

pub(super) fn look_up(
    words: &IntTensor<Flex>,
    chosen: &IntTensor<Flex>,
    meanings: &Plain,
    shape: ImageShape,
) -> Plain {
    let number = |&number: &i32| usize::try_from(number).expect("images are counted from 0");
    let chosen: Vec<usize> = whole_numbers(chosen).iter().map(number).collect();
    let made = bytes::look_up(&whole_numbers(words), &chosen, &values(meanings), shape);
    plain(
        made,
        &[chosen.len(), shape.channels, shape.height, shape.width],
    )
}
