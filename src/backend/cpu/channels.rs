//! What normalization makes of a channel: sums in eight lanes a row, and one operation after another.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::simd::on_every_set;

const LANES: usize = 8;

/// Rows that are summed at once: a lane's additions wait for each other, those of other rows do not.
const ROWS: usize = 4;

/// `[batch, channels, places]`
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub batch: usize,
    pub channels: usize,
    pub places: usize,
}

impl Sizes {
    pub fn len(self) -> usize {
        self.batch * self.channels * self.places
    }

    /// Values of a channel over the batch.
    pub fn of_channel(self) -> f64 {
        (self.batch * self.places) as f64
    }

    /// Where the row of a channel begins.
    fn start(self, sample: usize, channel: usize) -> usize {
        (sample * self.channels + channel) * self.places
    }
}

/// A channel to read: a row for each sample.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    values: &'a [f32],
    sizes: Sizes,
    channel: usize,
}

impl<'a> Rows<'a> {
    pub fn of(values: &'a [f32], sizes: Sizes, channel: usize) -> Self {
        Rows {
            values,
            sizes,
            channel,
        }
    }

    #[inline(always)]
    fn get(self, sample: usize) -> &'a [f32] {
        &self.values[self.sizes.start(sample, self.channel)..][..self.sizes.places]
    }
}

/// A channel to write, whatever it holds.
#[derive(Debug)]
pub struct RowsMut<'a> {
    start: *mut MaybeUninit<f32>,
    sizes: Sizes,
    channel: usize,
    held: PhantomData<&'a mut [MaybeUninit<f32>]>,
}

impl RowsMut<'_> {
    #[inline(always)]
    fn get(&mut self, sample: usize) -> &mut [MaybeUninit<f32>] {
        assert!(sample < self.sizes.batch);
        // SAFETY: they are this channel's, and lie within the numbers.
        unsafe {
            let start = self.start.add(self.sizes.start(sample, self.channel));
            std::slice::from_raw_parts_mut(start, self.sizes.places)
        }
    }
}

/// Numbers in the making.
struct Places(*mut MaybeUninit<f32>);

// SAFETY: a channel's places are no other's, and each channel is written by one thread.
unsafe impl Sync for Places {}

/// `N` times numbers that `write` writes, channel by channel, and what it gives of each.
///
/// # Safety
/// It writes every row of the channel that it is given.
pub unsafe fn written<const N: usize, T: Send>(
    sizes: Sizes,
    write: impl Fn(usize, [RowsMut<'_>; N]) -> T + Sync,
) -> ([Vec<f32>; N], Vec<T>) {
    let mut made = [(); N].map(|()| Vec::with_capacity(sizes.len()));
    let places = made
        .each_mut()
        .map(|made| Places(made.spare_capacity_mut().as_mut_ptr()));
    let rows = |channel: usize| {
        places.each_ref().map(|places| RowsMut {
            start: places.0,
            sizes,
            channel,
            held: PhantomData,
        })
    };
    // Short rows of neighbours share lines of a cache, which threads would take from each other.
    let neighbours = (64 / sizes.places.max(1)).max(1);
    let channels = (0..sizes.channels).into_par_iter().with_min_len(neighbours);
    let given = channels
        .map(|channel| write(channel, rows(channel)))
        .collect();
    for made in &mut made {
        // SAFETY: all channels were written.
        unsafe { made.set_len(sizes.len()) };
    }
    (made, given)
}

/// The sums of all `N` of `of(a, b)` over each of the pairs of rows, lane by lane.
#[inline(always)]
fn lanes<const PAIRS: usize, const N: usize>(
    a: [&[f32]; PAIRS],
    b: [&[f32]; PAIRS],
    of: impl Fn(f32, f32) -> [f32; N],
) -> [[f32; N]; PAIRS] {
    let [a, b] = [a, b].map(|rows| rows.map(|row| row.as_chunks::<LANES>()));
    let [whole_a, whole_b] = [a, b].map(|rows| rows.map(|(whole, _)| whole));
    let mut sums = [[[0.0f32; LANES]; N]; PAIRS];
    for chunk in 0..whole_a[0].len() {
        for (row, sums) in sums.iter_mut().enumerate() {
            let (a, b) = (&whole_a[row][chunk], &whole_b[row][chunk]);
            // First all parts, then all sums: compilers make vectors of that.
            let parts: [[f32; N]; LANES] = std::array::from_fn(|lane| of(a[lane], b[lane]));
            for (n, sums) in sums.iter_mut().enumerate() {
                for (sum, part) in sums.iter_mut().zip(&parts) {
                    *sum += part[n];
                }
            }
        }
    }
    std::array::from_fn(|row| {
        std::array::from_fn(|n| {
            let rest = a[row].1.iter().zip(b[row].1);
            let rest: f32 = rest.map(|(&a, &b)| of(a, b)[n]).sum();
            sums[row][n].iter().sum::<f32>() + rest
        })
    })
}

/// The same of a pair of rows that are shorter than the lanes.
#[inline(always)]
fn short<const N: usize>(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> [f32; N]) -> [f32; N] {
    let mut sums = [0.0; N];
    for (&a, &b) in a.iter().zip(b) {
        for (sum, part) in sums.iter_mut().zip(of(a, b)) {
            *sum += part;
        }
    }
    sums
}

/// The sums of all `N` of `of(a, b)` over a channel: of each row, then of the rows in the order of the samples.
#[inline(always)]
fn sums<const N: usize>(
    a: Rows<'_>,
    b: Rows<'_>,
    of: impl Fn(f32, f32) -> [f32; N] + Copy,
) -> [f64; N] {
    let mut sums = [0.0; N];
    let mut add = |row: [f32; N]| {
        for (sum, part) in sums.iter_mut().zip(row) {
            *sum += f64::from(part);
        }
    };
    let Sizes { batch, places, .. } = a.sizes;
    if places < LANES {
        for sample in 0..batch {
            add(short(a.get(sample), b.get(sample), of));
        }
        return sums;
    }
    let together = batch - batch % ROWS;
    for first in (0..together).step_by(ROWS) {
        let [a, b] = [a, b].map(|of| std::array::from_fn(|row| of.get(first + row)));
        lanes::<ROWS, N>(a, b, of).into_iter().for_each(&mut add);
    }
    for sample in together..batch {
        let [row] = lanes::<1, N>([a.get(sample)], [b.get(sample)], of);
        add(row);
    }
    sums
}

on_every_set! {
    /// The sum of a channel.
    pub fn sum(x: Rows<'_>) -> [f64; 1] {
        sums(x, x, |x, _| [x])
    }
}

on_every_set! {
    /// The sum of the squares of a channel's distances from its mean.
    pub fn squares(x: Rows<'_>, mean: f32) -> [f64; 1] {
        sums(x, x, |x, _| [(x - mean) * (x - mean)])
    }
}

on_every_set! {
    /// The sum of a channel, and of its values' products with another's.
    pub fn sum_and_products(a: Rows<'_>, b: Rows<'_>) -> [f64; 2] {
        sums(a, b, |a, b| [a, a * b])
    }
}

on_every_set! {
    /// [`sum_and_products`] of a gradient, and the same of the gradient times `scale`.
    pub fn sums_and_products(gradient: Rows<'_>, values: Rows<'_>, scale: f32) -> [f64; 4] {
        sums(gradient, values, |gradient, value| {
            let scaled = gradient * scale;
            [gradient, gradient * value, scaled, scaled * value]
        })
    }
}

on_every_set! {
    /// `(x - mean) * rate`, by `[mean, rate]`.
    pub fn standardize(x: Rows<'_>, by: [f32; 2], to: RowsMut<'_>) {
        let ([mean, rate], mut to) = (by, to);
        for sample in 0..x.sizes.batch {
            for (to, x) in to.get(sample).iter_mut().zip(x.get(sample)) {
                to.write((x - mean) * rate);
            }
        }
    }
}

on_every_set! {
    /// `x * scale + shift`, by `[scale, shift]`.
    pub fn scale(x: Rows<'_>, by: [f32; 2], to: RowsMut<'_>) {
        let ([scale, shift], mut to) = (by, to);
        for sample in 0..x.sizes.batch {
            for (to, x) in to.get(sample).iter_mut().zip(x.get(sample)) {
                to.write(x * scale + shift);
            }
        }
    }
}

on_every_set! {
    /// Both: [`standardize`] by `[mean, rate]` to `standard`, and what [`scale`] makes of that by `[scale, shift]`.
    pub fn normalize(
        x: Rows<'_>,
        by: [[f32; 2]; 2],
        standard: RowsMut<'_>,
        to: RowsMut<'_>,
    ) {
        let ([[mean, rate], [scale, shift]], mut standard, mut to) = (by, standard, to);
        for sample in 0..x.sizes.batch {
            let made = standard.get(sample).iter_mut().zip(to.get(sample));
            for ((standard, to), x) in made.zip(x.get(sample)) {
                let value = *standard.write((x - mean) * rate);
                to.write(value * scale + shift);
            }
        }
    }
}

on_every_set! {
    /// `(gradient * scale - plain - value * along) * rate`, by `[scale, plain, along, rate]`.
    pub fn standardize_gradient(
        gradient: Rows<'_>,
        values: Rows<'_>,
        by: [f32; 4],
        to: RowsMut<'_>,
    ) {
        let ([scale, plain, along, rate], mut to) = (by, to);
        for sample in 0..gradient.sizes.batch {
            let read = gradient.get(sample).iter().zip(values.get(sample));
            for (to, (gradient, value)) in to.get(sample).iter_mut().zip(read) {
                to.write((gradient * scale - plain - value * along) * rate);
            }
        }
    }
}
