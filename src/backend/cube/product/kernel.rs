//! The kernel of all products: a cube makes a tile of values, with what it needs of both factors in shared memory.

use cubecl::prelude::*;

use super::places::{column_of, left_at, left_of_tap, phase_has_tap, right_at, source_of_column};
use super::{Bias, DEPTH, GAP, KernelForm, Operands, ProductSizes, SIDE};

#[cube(launch_unchecked)]
pub(super) fn product_kernel(
    left: &Array<f32>,
    right: &Array<f32>,
    bias: &Array<f32>,
    out: &mut Array<f32>,
    sizes: &ProductSizes,
    batch: usize,
    tiles_m: usize,
    tiles_n: usize,
    #[comptime] form: KernelForm,
) {
    let tiles = tiles_m * tiles_n;
    if CUBE_POS >= tiles * batch * comptime!(form.phases()) * sizes.parts {
        terminate!();
    }
    let units = comptime!(form.tile.units());
    let (tile_m, tile_n) = comptime!((form.tile.m, form.tile.n));
    let (pitch_m, pitch_n) = comptime!((tile_m + GAP, tile_n + GAP));
    let unit = UNIT_POS as usize;
    let first_m = CUBE_POS / tiles_n % tiles_m * tile_m;
    let first_n = CUBE_POS % tiles_n * tile_n;
    let layer = CUBE_POS / tiles / sizes.parts;
    let part = CUBE_POS / tiles % sizes.parts;
    let (z, phase) = (
        layer / comptime!(form.phases()),
        layer % comptime!(form.phases()),
    );
    let first_k = part * sizes.part;
    let end_k = clamp_max(first_k + sizes.part, sizes.k);
    let all_m = if comptime!(form.ones && form.operands == Operands::Matrices) {
        sizes.m + 1
    } else {
        sizes.m + 0
    };
    let all_n = if comptime!(form.ones && form.operands == Operands::Filters) {
        sizes.n + 1
    } else {
        sizes.n + 0
    };
    // What lies at a tap, one behind the other.
    let (channels, gap) = if comptime!(form.operands == Operands::Images) {
        (sizes.filters + 0, sizes.out_height * sizes.out_width)
    } else {
        (sizes.channels + 0, sizes.height * sizes.width)
    };

    let mut lefts = SharedMemory::<f32>::new(comptime!(DEPTH * pitch_m));
    let mut rights = SharedMemory::<f32>::new(comptime!(DEPTH * pitch_n));
    let mut sums = Array::<f32>::new(comptime!(SIDE * SIDE));
    #[unroll]
    for i in 0..comptime!(SIDE * SIDE) {
        sums[i] = f32::new(0.0);
    }
    let own_m = unit / comptime!(tile_n / SIDE) * SIDE;
    let own_n = unit % comptime!(tile_n / SIDE) * SIDE;

    let steps = (end_k - first_k).div_ceil(DEPTH);
    for step in 0..steps {
        let start = first_k + step * DEPTH;
        let (tap, channel) = if comptime!(form.by_taps) {
            (start / channels, start % channels)
        } else {
            (start - start, start - start)
        };
        // The same for all units of the cube.
        if phase_has_tap(phase, tap, form) {
            for i in 0..comptime!(tile_m * DEPTH / units) {
                let at = unit + i * units;
                let (k, m) = if comptime!(form.operands == Operands::Images) {
                    (at / tile_m, at % tile_m)
                } else {
                    (at % DEPTH, at / DEPTH)
                };
                let mut value = f32::new(0.0);
                if start + k < end_k && first_m + m < all_m {
                    let m = first_m + m;
                    if comptime!(form.by_taps) {
                        value = left_of_tap(left, z, m, tap, channel + k, sizes, form);
                    } else if comptime!(form.ones && form.operands == Operands::Matrices) {
                        if m < sizes.m {
                            value = left_at(left, z, m, start + k, sizes, form);
                        } else {
                            value = f32::new(1.0);
                        }
                    } else {
                        value = left_at(left, z, m, start + k, sizes, form);
                    }
                }
                lefts[k * pitch_m + m] = value;
            }
            if comptime!(form.by_taps) {
                // A unit's values all lie in one column.
                let n = unit % tile_n;
                let (at, is_inside) =
                    source_of_column(first_n + n, z, phase, tap, channel, sizes, form);
                let is_inside = is_inside && first_n + n < all_n;
                for i in 0..comptime!(tile_n * DEPTH / units) {
                    let k = unit / tile_n + i * comptime!(units / tile_n);
                    let mut value = f32::new(0.0);
                    if is_inside {
                        value = right[at + k * gap];
                    }
                    rights[k * pitch_n + n] = value;
                }
            } else {
                for i in 0..comptime!(tile_n * DEPTH / units) {
                    let at = unit + i * units;
                    let (k, n) = if comptime!(form.operands == Operands::Filters) {
                        (at % DEPTH, at / DEPTH)
                    } else {
                        (at / tile_n, at % tile_n)
                    };
                    let mut value = f32::new(0.0);
                    if start + k < end_k && first_n + n < all_n {
                        let n = first_n + n;
                        if comptime!(form.ones && form.operands == Operands::Filters) {
                            if n < sizes.n {
                                value = right_at(right, z, phase, start + k, n, sizes, form);
                            } else {
                                value = f32::new(1.0);
                            }
                        } else {
                            value = right_at(right, z, phase, start + k, n, sizes, form);
                        }
                    }
                    rights[k * pitch_n + n] = value;
                }
            }
            sync_cube();
            for k in 0..DEPTH {
                #[unroll]
                for i in 0..SIDE {
                    let l = lefts[k * pitch_m + own_m + i];
                    #[unroll]
                    for j in 0..SIDE {
                        let r = rights[k * pitch_n + own_n + j];
                        sums[i * SIDE + j] = fma(l, r, sums[i * SIDE + j]);
                    }
                }
            }
            sync_cube();
        }
    }

    // Behind the values of all parts stand the sums of what multiplies ones.
    let values = batch * sizes.m * sizes.n;
    let ones = if comptime!(form.operands == Operands::Matrices) {
        sizes.n + 0
    } else {
        batch * sizes.m
    };
    let whole = if comptime!(form.ones) {
        values + ones
    } else {
        values + 0
    };
    #[unroll]
    for j in 0..SIDE {
        let n = first_n + own_n + j;
        let (column, is_there) = column_of(n, z, phase, sizes, form);
        #[unroll]
        for i in 0..SIDE {
            let m = first_m + own_m + i;
            if m < sizes.m && n < sizes.n && is_there {
                let mut value = sums[i * SIDE + j];
                if comptime!(form.bias == Bias::OfRow) {
                    value += bias[z * sizes.m + m];
                } else if comptime!(form.bias == Bias::OfColumn) {
                    value += bias[n];
                }
                let pitch = if comptime!(form.operands == Operands::Forward) {
                    sizes.out_height * sizes.out_width
                } else if comptime!(form.operands == Operands::Images) {
                    sizes.height * sizes.width
                } else {
                    sizes.n + 0
                };
                out[part * whole + column + m * pitch] = value;
            }
            if comptime!(form.ones && form.operands == Operands::Matrices) {
                if m == sizes.m && n < sizes.n {
                    out[part * whole + values + n] = sums[i * SIDE + j];
                }
            } else if comptime!(form.ones) {
                if n == sizes.n && m < sizes.m {
                    out[part * whole + values + z * sizes.m + m] = sums[i * SIDE + j];
                }
            }
        }
    }
}
