//! Statistics of channels, `[batch, channels, places]`, and what is made of values by them.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{UNITS, array, contiguous, empty, grid, units};
use super::sums::sum_of_units;

/// Cubes that share the channels.
const CUBES: usize = 512;
/// Values of a cube, at least.
const LEAST: usize = 2048;
/// Cubes of a channel, at most.
const SLICES: usize = 32;

#[derive(CubeLaunch, CubeType)]
struct Sizes {
    batch: usize,
    channels: usize,
    places: usize,
    /// Values of a channel that a cube looks at, and cubes of a channel.
    slice: usize,
    slices: usize,
}

/// The channel of this cube.
#[cube]
fn channel_of(sizes: &Sizes) -> usize {
    CUBE_POS / sizes.slices
}

#[cube]
fn place(at: usize, sizes: &Sizes) -> usize {
    let channel = channel_of(sizes);
    (at / sizes.places * sizes.channels + channel) * sizes.places + at % sizes.places
}

/// The first value of this cube's slice, and the end.
#[cube]
fn slice(sizes: &Sizes) -> (usize, usize) {
    let start = CUBE_POS % sizes.slices * sizes.slice;
    (
        start,
        clamp_max(start + sizes.slice, sizes.batch * sizes.places),
    )
}

/// The sum of a channel's parts: `step` numbers of each slice lie beside each other.
#[cube]
fn sum_of_slices(parts: &Array<f32>, sizes: &Sizes, offset: usize, #[comptime] step: usize) -> f32 {
    let first = channel_of(sizes) * sizes.slices;
    let mut sum = f32::new(0.0);
    for slice in 0..sizes.slices {
        sum += parts[(first + slice) * step + offset];
    }
    sum
}

#[cube]
fn count(sizes: &Sizes) -> f32 {
    f32::cast_from(sizes.batch * sizes.places)
}

/// Sums of each slice of each channel, `[channels, slices]`.
#[cube(launch_unchecked)]
fn sums_kernel(x: &Array<f32>, out: &mut Array<f32>, sizes: &Sizes) {
    if channel_of(sizes) >= sizes.channels {
        terminate!();
    }
    let (start, end) = slice(sizes);
    let mut sum = f32::new(0.0);
    let mut at = start + UNIT_POS as usize;
    while at < end {
        sum += x[place(at, sizes)];
        at += UNITS;
    }
    let all = sum_of_units(sum, UNITS);
    if UNIT_POS == 0 {
        out[CUBE_POS] = all;
    }
}

/// Sums of the squared distances to the mean, `[channels, slices]`.
#[cube(launch_unchecked)]
fn squares_kernel(x: &Array<f32>, sums: &Array<f32>, out: &mut Array<f32>, sizes: &Sizes) {
    if channel_of(sizes) >= sizes.channels {
        terminate!();
    }
    let mean = sum_of_slices(sums, sizes, 0usize, 1usize) / count(sizes);
    let (start, end) = slice(sizes);
    let mut sum = f32::new(0.0);
    let mut at = start + UNIT_POS as usize;
    while at < end {
        let off = x[place(at, sizes)] - mean;
        sum = fma(off, off, sum);
        at += UNITS;
    }
    let all = sum_of_units(sum, UNITS);
    if UNIT_POS == 0 {
        out[CUBE_POS] = all;
    }
}

#[cube(launch_unchecked)]
fn standardize_kernel(
    x: &Array<f32>,
    sums: &Array<f32>,
    squares: &Array<f32>,
    out: &mut Array<f32>,
    means: &mut Array<f32>,
    variances: &mut Array<f32>,
    rates: &mut Array<f32>,
    sizes: &Sizes,
    epsilon: f32,
) {
    if channel_of(sizes) >= sizes.channels {
        terminate!();
    }
    let mean = sum_of_slices(sums, sizes, 0usize, 1usize) / count(sizes);
    let variance = sum_of_slices(squares, sizes, 0usize, 1usize) / count(sizes);
    let rate = 1.0 / (variance + epsilon).sqrt();
    let (start, end) = slice(sizes);
    let mut at = start + UNIT_POS as usize;
    while at < end {
        let here = place(at, sizes);
        out[here] = (x[here] - mean) * rate;
        at += UNITS;
    }
    if CUBE_POS % sizes.slices == 0 && UNIT_POS == 0 {
        means[channel_of(sizes)] = mean;
        variances[channel_of(sizes)] = variance;
        rates[channel_of(sizes)] = rate;
    }
}

/// For each slice of each channel the sum of `a` and of `a * b`, `[channels, slices, 2]`.
#[cube(launch_unchecked)]
fn pairs_kernel(a: &Array<f32>, b: &Array<f32>, out: &mut Array<f32>, sizes: &Sizes) {
    if channel_of(sizes) >= sizes.channels {
        terminate!();
    }
    let (start, end) = slice(sizes);
    let mut sum = f32::new(0.0);
    let mut products = f32::new(0.0);
    let mut at = start + UNIT_POS as usize;
    while at < end {
        let here = place(at, sizes);
        let value = a[here];
        sum += value;
        products = fma(value, b[here], products);
        at += UNITS;
    }
    let sum = sum_of_units(sum, UNITS);
    let products = sum_of_units(products, UNITS);
    if UNIT_POS == 0 {
        let first = CUBE_POS * 2;
        out[first] = sum;
        out[first + 1] = products;
    }
}

/// From the gradient of standardized values, `g`, to that of the values before.
#[cube(launch_unchecked)]
fn standardize_back_kernel(
    g: &Array<f32>,
    standard: &Array<f32>,
    pairs: &Array<f32>,
    rates: &Array<f32>,
    out: &mut Array<f32>,
    sizes: &Sizes,
) {
    if channel_of(sizes) >= sizes.channels {
        terminate!();
    }
    let mean = sum_of_slices(pairs, sizes, 0usize, 2usize) / count(sizes);
    let along = sum_of_slices(pairs, sizes, 1usize, 2usize) / count(sizes);
    let rate = rates[channel_of(sizes)];
    let (start, end) = slice(sizes);
    let mut at = start + UNIT_POS as usize;
    while at < end {
        let here = place(at, sizes);
        out[here] = (g[here] - mean - standard[here] * along) * rate;
        at += UNITS;
    }
}

#[cube(launch_unchecked)]
fn scale_kernel(
    x: &Array<f32>,
    scale: &Array<f32>,
    shift: &Array<f32>,
    out: &mut Array<f32>,
    sizes: &Sizes,
) {
    if channel_of(sizes) >= sizes.channels {
        terminate!();
    }
    let factor = scale[channel_of(sizes)];
    let more = shift[channel_of(sizes)];
    let (start, end) = slice(sizes);
    let mut at = start + UNIT_POS as usize;
    while at < end {
        let here = place(at, sizes);
        out[here] = x[here] * factor + more;
        at += UNITS;
    }
}

/// From the gradient of scaled values, `g`, to those of the values, of the scale and of the shift.
#[cube(launch_unchecked)]
fn scale_back_kernel(
    g: &Array<f32>,
    scale: &Array<f32>,
    pairs: &Array<f32>,
    out: &mut Array<f32>,
    of_scale: &mut Array<f32>,
    of_shift: &mut Array<f32>,
    sizes: &Sizes,
) {
    if channel_of(sizes) >= sizes.channels {
        terminate!();
    }
    let factor = scale[channel_of(sizes)];
    let (start, end) = slice(sizes);
    let mut at = start + UNIT_POS as usize;
    while at < end {
        let here = place(at, sizes);
        out[here] = g[here] * factor;
        at += UNITS;
    }
    if CUBE_POS % sizes.slices == 0 && UNIT_POS == 0 {
        of_shift[channel_of(sizes)] = sum_of_slices(pairs, sizes, 0usize, 2usize);
        of_scale[channel_of(sizes)] = sum_of_slices(pairs, sizes, 1usize, 2usize);
    }
}

/// `[batch, channels, places]`, and how the cubes share them.
#[derive(Debug, Clone, Copy)]
struct Grid {
    dims: [usize; 3],
    slice: usize,
    slices: usize,
}

impl Grid {
    fn of<R: CubeRuntime>(x: &CubeTensor<R>) -> Self {
        let shape = x.meta.shape();
        let dims = [shape[0], shape[1], shape[2]];
        let values = dims[0] * dims[2];
        let slices = (CUBES / dims[1])
            .clamp(1, SLICES)
            .min(values.div_ceil(LEAST));
        let slice = values.div_ceil(slices);
        Grid {
            dims,
            slice,
            slices: values.div_ceil(slice),
        }
    }

    fn cubes(self) -> CubeCount {
        grid(self.slices * self.dims[1])
    }

    fn sizes<R: CubeRuntime>(self) -> SizesLaunch<R> {
        let [batch, channels, places] = self.dims;
        SizesLaunch::new(batch, channels, places, self.slice, self.slices)
    }

    /// Room for `numbers` of each slice.
    fn parts<R: CubeRuntime>(self, like: &CubeTensor<R>, numbers: usize) -> CubeTensor<R> {
        empty(like, &[self.dims[1], self.slices, numbers])
    }
}

/// Values with mean 0 and variance 1, then the mean, the variance and `1 / sqrt(variance + epsilon)`.
pub(super) fn standardize<R: CubeRuntime>(x: CubeTensor<R>, epsilon: f64) -> [CubeTensor<R>; 4] {
    let x = contiguous(x);
    let (grid, client) = (Grid::of(&x), x.client.clone());
    let (sums, squares) = (grid.parts(&x, 1), grid.parts(&x, 1));
    let (out, mean) = (empty(&x, &grid.dims), empty(&x, &grid.dims[1..2]));
    let (variance, rate) = (empty(&x, &grid.dims[1..2]), empty(&x, &grid.dims[1..2]));
    // SAFETY: cubes look at the sizes before they read or write.
    unsafe {
        sums_kernel::launch_unchecked(
            &client,
            grid.cubes(),
            units(UNITS),
            array(&x),
            array(&sums),
            grid.sizes(),
        );
        squares_kernel::launch_unchecked(
            &client,
            grid.cubes(),
            units(UNITS),
            array(&x),
            array(&sums),
            array(&squares),
            grid.sizes(),
        );
        standardize_kernel::launch_unchecked(
            &client,
            grid.cubes(),
            units(UNITS),
            array(&x),
            array(&sums),
            array(&squares),
            array(&out),
            array(&mean),
            array(&variance),
            array(&rate),
            grid.sizes(),
            epsilon as f32,
        );
    }
    [out, mean, variance, rate]
}

fn pairs<R: CubeRuntime>(grid: Grid, a: &CubeTensor<R>, b: &CubeTensor<R>) -> CubeTensor<R> {
    let out = grid.parts(a, 2);
    // SAFETY: cubes look at the sizes before they read or write.
    unsafe {
        pairs_kernel::launch_unchecked(
            &a.client,
            grid.cubes(),
            units(UNITS),
            array(a),
            array(b),
            array(&out),
            grid.sizes(),
        );
    }
    out
}

/// The gradient of what [`standardize`] was given, of the gradient of its values, these, and their rate.
pub(super) fn standardize_back<R: CubeRuntime>(
    gradient: CubeTensor<R>,
    values: &CubeTensor<R>,
    rate: &CubeTensor<R>,
) -> CubeTensor<R> {
    let gradient = contiguous(gradient);
    let grid = Grid::of(&gradient);
    let pairs = pairs(grid, &gradient, values);
    let out = empty(&gradient, &grid.dims);
    // SAFETY: cubes look at the sizes before they read or write.
    unsafe {
        standardize_back_kernel::launch_unchecked(
            &gradient.client,
            grid.cubes(),
            units(UNITS),
            array(&gradient),
            array(values),
            array(&pairs),
            array(rate),
            array(&out),
            grid.sizes(),
        );
    }
    out
}

/// Values times a channel's scale plus its shift.
pub(super) fn scale<R: CubeRuntime>(
    x: CubeTensor<R>,
    scale: CubeTensor<R>,
    shift: CubeTensor<R>,
) -> CubeTensor<R> {
    let (x, scale, shift) = (contiguous(x), contiguous(scale), contiguous(shift));
    let grid = Grid::of(&x);
    let out = empty(&x, &grid.dims);
    // SAFETY: cubes look at the sizes before they read or write.
    unsafe {
        scale_kernel::launch_unchecked(
            &x.client,
            grid.cubes(),
            units(UNITS),
            array(&x),
            array(&scale),
            array(&shift),
            array(&out),
            grid.sizes(),
        );
    }
    out
}

/// The gradients of what [`scale`] was given.
pub(super) fn scale_back<R: CubeRuntime>(
    gradient: CubeTensor<R>,
    x: CubeTensor<R>,
    scale: CubeTensor<R>,
) -> [CubeTensor<R>; 3] {
    let (x, scale) = (contiguous(x), contiguous(scale));
    let gradient = contiguous(gradient);
    let grid = Grid::of(&gradient);
    let pairs = pairs(grid, &gradient, &x);
    let out = empty(&gradient, &grid.dims);
    let (of_scale, of_shift) = (empty(&x, &grid.dims[1..2]), empty(&x, &grid.dims[1..2]));
    // SAFETY: cubes look at the sizes before they read or write.
    unsafe {
        scale_back_kernel::launch_unchecked(
            &gradient.client,
            grid.cubes(),
            units(UNITS),
            array(&gradient),
            array(&scale),
            array(&pairs),
            array(&out),
            array(&of_scale),
            array(&of_shift),
            grid.sizes(),
        );
    }
    [out, of_scale, of_shift]
}
