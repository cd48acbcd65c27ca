//! Convolution by very few filters, where a product would leave most lanes of a vector empty.
//!
//! Forward, rows of the image are moved, weighted and added to rows of the output; for the gradients, what lies
//! under a window is weighted by its output. Channels in one group only. Sums have the order of the
//! [unfolded](super::unfolded) products, so both give the same bits.

use super::buffers::Buffers;
use super::frame::{Frame, Tap, image_frame, plane_offsets, taps, window_offsets};
use super::simd::{Simd, on_every_set};
use super::transpose::transpose;
use crate::backend::convolution_sizes::ConvolutionSizes;

/// Values of a row that are worked on together.
const LANES: usize = 16;

/// Pieces whose sums stay in registers together: as many as AVX2 has room for.
const TOGETHER: usize = 6;

/// What an image and a few filters of `[filters, channels, kernel_height, kernel_width]` make of each other.
#[derive(Debug)]
pub struct Few {
    simd: Simd,
    sizes: ConvolutionSizes,
    frame: Frame,
    /// From the beginning of a window, channel by channel, to each value that it sees, in the order of a filter's.
    offsets: Vec<usize>,
    /// Pieces of all rows of an output, those that lie below each other together.
    rows: Vec<Piece>,
    /// Where windows begin where channels lie side by side.
    windows: Vec<usize>,
    /// Pieces of what lies under a window there, place by place of the kernel.
    under: Vec<Piece>,
}

/// Up to [`LANES`] values that lie side by side: where they are read and where their sums go.
#[derive(Debug, Clone, Copy)]
struct Piece {
    from: usize,
    to: usize,
    lanes: usize,
}

impl Few {
    pub fn new(simd: Simd, sizes: ConvolutionSizes) -> Self {
        let frame = image_frame(sizes);
        let extent = frame.extent();
        Few {
            simd,
            sizes,
            offsets: plane_offsets(&frame, sizes),
            rows: rows(sizes, extent),
            windows: window_offsets(&frame, sizes),
            under: under(sizes, &frame),
            frame,
        }
    }

    /// Adds to an output, `[filters, out_height, out_width]`, what the filters make of an image; the stride along a row is 1.
    pub fn apply(&self, image: &[f32], filters: &[f32], output: &mut [f32], buffers: &mut Buffers) {
        let frame = self.frame.pad(image, LANES, &mut buffers.frames);
        let filters = filters.chunks_exact(self.sizes.seen());
        for (filter, output) in filters.zip(output.chunks_exact_mut(self.sizes.places())) {
            add_pieces(self.simd, frame, &self.offsets, filter, &self.rows, output);
        }
    }

    /// Adds one image's share to the gradient of the filters, `[filters, kernel_height, kernel_width, channels]`.
    pub fn compare(&self, image: &[f32], output: &[f32], sums: &mut [f32], buffers: &mut Buffers) {
        let Buffers { turned, frames, .. } = buffers;
        let frame = self.frame.turn(self.simd, image, LANES, turned, frames);
        let outputs = output.chunks_exact(self.sizes.places());
        for (output, sums) in outputs.zip(sums.chunks_exact_mut(self.sizes.seen())) {
            add_pieces(self.simd, frame, &self.windows, output, &self.under, sums);
        }
    }

    /// From the order of [`compare`](Self::compare) to `[filters, channels, kernel_height, kernel_width]`.
    pub fn filters(&self, sums: &[f32]) -> Vec<f32> {
        let channels = self.sizes.channels;
        let taps = self.sizes.seen() / channels;
        let mut filters = vec![0.0; sums.len()];
        let seen = self.sizes.seen();
        for (sums, filter) in sums.chunks_exact(seen).zip(filters.chunks_exact_mut(seen)) {
            transpose(self.simd, [taps, channels], sums, channels, filter, taps);
        }
        filters
    }
}

fn rows(sizes: ConvolutionSizes, [_, line]: [usize; 2]) -> Vec<Piece> {
    let (step, across) = (sizes.sliding.stride[0], sizes.out_width);
    let column = |x: usize| {
        (0..sizes.out_height).map(move |y| Piece {
            from: y * step * line + x,
            to: y * across + x,
            lanes: (across - x).min(LANES),
        })
    };
    (0..across).step_by(LANES).flat_map(column).collect()
}

fn under(sizes: ConvolutionSizes, frame: &Frame) -> Vec<Piece> {
    let channels = sizes.channels;
    let of_tap = |(index, tap): (usize, Tap)| {
        let from = tap.offset(frame, sizes);
        let piece = move |channel: usize| Piece {
            from: from + channel,
            to: index * channels + channel,
            lanes: (channels - channel).min(LANES),
        };
        (0..channels).step_by(LANES).map(piece)
    };
    taps(sizes)
        .into_iter()
        .enumerate()
        .flat_map(of_tap)
        .collect()
}

/// Some pieces, the last of them again and again where they are fewer.
#[inline(always)]
fn filled(pieces: &[Piece]) -> [Piece; TOGETHER] {
    std::array::from_fn(|index| pieces[index.min(pieces.len() - 1)])
}

#[inline(always)]
fn load(values: &[f32], piece: Piece) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    lanes[..piece.lanes].copy_from_slice(&values[piece.to..][..piece.lanes]);
    lanes
}

#[inline(always)]
fn store(pieces: &[Piece], sums: &[[f32; LANES]], values: &mut [f32]) {
    for (piece, sums) in pieces.iter().zip(sums) {
        values[piece.to..][..piece.lanes].copy_from_slice(&sums[..piece.lanes]);
    }
}

#[inline(always)]
fn multiply_add(values: &[f32], factor: f32, sums: &mut [f32; LANES]) {
    let values: &[f32; LANES] = values.first_chunk().expect("frames reach as far as pieces");
    for lane in 0..LANES {
        sums[lane] = values[lane].mul_add(factor, sums[lane]);
    }
}

on_every_set! {
    /// Adds to pieces of `sums` what lies `offset` after where they are read, times the offset's factor, one offset after
    /// another.
    fn add_pieces(frame: &[f32], offsets: &[usize], factors: &[f32], pieces: &[Piece], sums: &mut [f32]) {
        for pieces in pieces.chunks(TOGETHER) {
            let places = filled(pieces);
            let mut lanes = places.map(|piece| load(sums, piece));
            for (offset, factor) in offsets.iter().zip(factors) {
                for (piece, lanes) in places.iter().zip(&mut lanes) {
                    multiply_add(&frame[offset + piece.from..], *factor, lanes);
                }
            }
            store(pieces, &lanes, sums);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::super::testing::{by_every_set, chance, is_same, numbers};
    use super::super::unfolded;
    use super::*;
    use crate::backend::sliding::Sliding;

    #[test]
    fn the_bits_are_those_of_unfolded_products() {
        let mut chance = chance(11);
        for _ in 0..100 {
            let mut up_to = |most: usize| chance.random_range(1..=most);
            let [rows, columns] = [up_to(4), up_to(4)];
            let sliding = Sliding {
                stride: [up_to(2), 1],
                before: [up_to(3) - 1, up_to(3) - 1],
                after: [up_to(3) - 1, up_to(3) - 1],
                dilation: [up_to(2), up_to(2)],
                groups: 1,
            };
            let x = [1, up_to(40), up_to(30) + 8, up_to(30) + 8];
            let sizes = ConvolutionSizes::of(x, [up_to(4), x[1], rows, columns], sliding);
            let what = format!("{sizes:?}");
            let image = numbers(&mut chance, sizes.image());
            let filters = numbers(&mut chance, sizes.filters * sizes.seen());
            let start = numbers(&mut chance, sizes.output());
            let windows = {
                let mut windows = vec![0.0; sizes.depth() * sizes.places()];
                unfolded::unfold(&image, sizes, &mut windows);
                windows
            };
            let made = by_every_set(&what, |simd| {
                let mut output = start.clone();
                let few = Few::new(simd, sizes);
                few.apply(&image, &filters, &mut output, &mut Buffers::default());
                output
            });
            let mut expected = start.clone();
            unfolded::apply(Simd::Portable, &filters, &windows, sizes, &mut expected);
            assert!(is_same(&made, &expected), "{what}");
            let made = by_every_set(&what, |simd| {
                let mut sums = vec![0.0; filters.len()];
                let few = Few::new(simd, sizes);
                few.compare(&image, &start, &mut sums, &mut Buffers::default());
                few.filters(&sums)
            });
            let mut expected = vec![0.0; filters.len()];
            unfolded::compare(Simd::Portable, &start, &windows, sizes, &mut expected);
            assert!(is_same(&made, &expected), "{what}");
        }
    }
}
