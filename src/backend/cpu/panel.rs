//! The heart of all products: some columns of the output, for any number of rows.
//!
//! The left matrix is read where it lies, by offsets: a row of it begins anywhere, and along a row its values lie in
//! runs. So the windows of an image are rows without being copied. The right matrix is packed, row after row of
//! the panel's columns. Every output is one chain of fused multiply-adds, from first to last.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::simd::Simd;
use super::vector::{Plain, Vector};

/// Values of a row of the left matrix that lie `step` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Of the first value, from where the row begins.
    pub offset: usize,
    pub length: usize,
}

/// What the chains begin with.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    Zero,
    /// One value for each of the panel's columns.
    Row(&'a [f32]),
    /// One value for each row.
    Column(&'a [f32]),
    /// What the output holds.
    Output,
}

impl Start<'_> {
    /// The same for the columns from a later one on.
    pub fn from(self, column: usize) -> Self {
        match self {
            Start::Row(row) => Start::Row(&row[column..]),
            start => start,
        }
    }

    /// The same for the rows from a later one on.
    pub fn of_rows(self, row: usize) -> Self {
        match self {
            Start::Column(column) => Start::Column(&column[row..]),
            start => start,
        }
    }
}

/// A buffer for outputs. Several threads may share one, each of which writes elements of its own only.
#[derive(Debug)]
pub struct Output<'a> {
    first: *mut f32,
    length: usize,
    values: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a mutable slice, of which parts are another's.
unsafe impl Send for Output<'_> {}

impl<'a> Output<'a> {
    pub fn of(values: &'a mut [f32]) -> Self {
        Output {
            first: values.as_mut_ptr(),
            length: values.len(),
            values: PhantomData,
        }
    }

    /// Of places that hold nothing yet.
    ///
    /// # Safety
    /// Every place is written before anything [begins](Start::Output) with it.
    pub unsafe fn fresh(values: &'a mut [MaybeUninit<f32>]) -> Self {
        Output {
            first: values.as_mut_ptr().cast(),
            length: values.len(),
            values: PhantomData,
        }
    }

    /// Another that begins with a later place.
    ///
    /// # Safety
    /// While both are in use, no two threads reach the same place.
    pub unsafe fn twin(&self, first: usize) -> Output<'a> {
        assert!(first <= self.length);
        Output {
            // SAFETY: it was just compared.
            first: unsafe { self.first.add(first) },
            length: self.length - first,
            values: PhantomData,
        }
    }

    /// What begins with a later place, for as long as this one is not used.
    pub fn from(&mut self, first: usize) -> Output<'_> {
        // SAFETY: there are not two at once.
        unsafe { self.twin(first) }
    }
}

/// Where the rows of the right matrix begin.
#[derive(Debug, Clone, Copy)]
pub enum RightRows<'a> {
    /// One after another, this far apart.
    Apart(usize),
    /// Anywhere.
    At(&'a Offsets),
}

/// Offsets into a slice, and the furthest of them.
#[derive(Debug, Clone)]
pub struct Offsets {
    offsets: Vec<usize>,
    furthest: usize,
}

impl Offsets {
    pub fn new(offsets: Vec<usize>) -> Self {
        Offsets {
            furthest: offsets.iter().copied().max().unwrap_or(0),
            offsets,
        }
    }

    pub fn len(&self) -> usize {
        self.offsets.len()
    }
}

/// A product's operands: `left[rows, depth]` and `right[depth, columns]`.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    pub left: &'a [f32],
    /// Where each row of the left matrix begins.
    pub rows: &'a [usize],
    /// The values of every row, from its beginning.
    pub runs: &'a [Run],
    /// Distance between the values of a run.
    pub step: usize,
    /// `[depth, width]`, the width a whole number of vectors.
    pub right: &'a [f32],
    /// Each as long as its [`width`], or longer.
    pub right_rows: RightRows<'a>,
    pub start: Start<'a>,
    /// Of the output and the start, no more than the width; the others of it are not stored.
    pub columns: usize,
}

/// The columns of the panels that `columns` are cut into, the last of which may be wider than what is left:
/// as even as whole vectors can be.
pub fn width(simd: Simd, columns: usize) -> usize {
    let (lanes, most) = match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => (16, 3),
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => (8, 2),
        #[cfg(target_arch = "aarch64")]
        Simd::Neon => (4, 3),
        Simd::Portable => (8, 1),
    };
    let vectors = columns.div_ceil(lanes).max(1);
    vectors.div_ceil(vectors.div_ceil(most)) * lanes
}

/// Rows that are made together.
pub fn height(simd: Simd) -> usize {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => 8,
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => 6,
        #[cfg(target_arch = "aarch64")]
        Simd::Neon => 8,
        Simd::Portable => 2,
    }
}

impl Panel<'_> {
    /// Writes the outputs: those of row `i` from `outputs[i]` on.
    ///
    /// # Panics
    /// An offset leads out of a slice.
    pub fn write(&self, simd: Simd, output: Output, outputs: &[usize]) {
        let depth: usize = self.runs.iter().map(|run| run.length).sum();
        let full = self.runs.iter().filter(|run| run.length > 0);
        let reach = full.map(|run| run.offset + (run.length - 1) * self.step + 1);
        let reach = reach.max().unwrap_or(0);
        let fits = |row: &usize| row + reach <= self.left.len();
        assert!(self.rows.iter().all(fits) && self.rows.len() == outputs.len());
        let fits = |row: &usize| row + self.columns <= output.length;
        assert!(outputs.iter().all(fits));
        let width = width(simd, self.columns);
        assert!((1..=width).contains(&self.columns));
        let furthest = match self.right_rows {
            RightRows::Apart(stride) => {
                assert!(stride >= width);
                depth.saturating_sub(1) * stride
            }
            RightRows::At(offsets) => {
                assert!(offsets.len() >= depth);
                offsets.furthest
            }
        };
        assert!(depth == 0 || furthest + width <= self.right.len());
        match self.start {
            Start::Row(start) => assert!(start.len() >= self.columns),
            Start::Column(start) => assert!(start.len() >= self.rows.len()),
            Start::Zero | Start::Output => {}
        }
        // SAFETY: all offsets were just compared with the slices, and a set is only made where it is supported.
        unsafe {
            match self.right_rows {
                RightRows::Apart(_) => self.on::<false>(simd, output, outputs),
                RightRows::At(_) => self.on::<true>(simd, output, outputs),
            }
        }
    }

    /// # Safety
    /// All offsets lie in their slices, the processor has the set, and `AT` says how the right rows are known.
    unsafe fn on<const AT: bool>(&self, simd: Simd, output: Output, outputs: &[usize]) {
        // SAFETY: the caller's.
        unsafe {
            match simd {
                #[cfg(target_arch = "x86_64")]
                Simd::Avx512 => avx512::<AT>(self, output, outputs),
                #[cfg(target_arch = "x86_64")]
                Simd::Avx2 => avx2::<AT>(self, output, outputs),
                #[cfg(target_arch = "aarch64")]
                Simd::Neon => neon::<AT>(self, output, outputs),
                Simd::Portable => portable::<AT>(self, output, outputs),
            }
        }
    }
}

/// Tiles of the given height, then what is left in one of fewer rows.
macro_rules! tiles {
    ($panel:ident, $output:ident, $outputs:ident, $vector:ty, $vectors:literal, $height:literal, [$($rest:literal)*]) => {{
        let mut row = 0;
        while row + $height <= $outputs.len() {
            // SAFETY: the caller's.
            unsafe { tile::<$vector, $height, $vectors, AT>($panel, row, $output.first, $outputs) };
            row += $height;
        }
        match $outputs.len() - row {
            // SAFETY: the caller's.
            $($rest => unsafe { tile::<$vector, $rest, $vectors, AT>($panel, row, $output.first, $outputs) },)*
            _ => {}
        }
    }};
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
unsafe fn avx512<const AT: bool>(panel: &Panel, output: Output, outputs: &[usize]) {
    use std::arch::x86_64::__m512;
    match panel.columns.div_ceil(16) {
        1 => tiles!(panel, output, outputs, __m512, 1, 8, [1 2 3 4 5 6 7]),
        2 => tiles!(panel, output, outputs, __m512, 2, 8, [1 2 3 4 5 6 7]),
        _ => tiles!(panel, output, outputs, __m512, 3, 8, [1 2 3 4 5 6 7]),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const AT: bool>(panel: &Panel, output: Output, outputs: &[usize]) {
    use std::arch::x86_64::__m256;
    match panel.columns.div_ceil(8) {
        1 => tiles!(panel, output, outputs, __m256, 1, 6, [1 2 3 4 5]),
        _ => tiles!(panel, output, outputs, __m256, 2, 6, [1 2 3 4 5]),
    }
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
unsafe fn neon<const AT: bool>(panel: &Panel, output: Output, outputs: &[usize]) {
    use std::arch::aarch64::float32x4_t;
    match panel.columns.div_ceil(4) {
        1 => tiles!(panel, output, outputs, float32x4_t, 1, 8, [1 2 3 4 5 6 7]),
        2 => tiles!(panel, output, outputs, float32x4_t, 2, 8, [1 2 3 4 5 6 7]),
        _ => tiles!(panel, output, outputs, float32x4_t, 3, 8, [1 2 3 4 5 6 7]),
    }
}

unsafe fn portable<const AT: bool>(panel: &Panel, output: Output, outputs: &[usize]) {
    tiles!(panel, output, outputs, Plain, 1, 2, [1])
}

/// `HEIGHT` rows from `first` on, in registers; `AT`: the right rows are known by their offsets.
///
/// # Safety
/// All offsets lie in their slices, and the processor has the vector's instructions.
#[inline(always)]
unsafe fn tile<V: Vector, const HEIGHT: usize, const VECTORS: usize, const AT: bool>(
    panel: &Panel,
    first: usize,
    output: *mut f32,
    outputs: &[usize],
) {
    // Lanes of each vector that hold columns.
    let lanes: [usize; VECTORS] =
        std::array::from_fn(|v| panel.columns.saturating_sub(v * V::LANES).min(V::LANES));
    let row: [usize; HEIGHT] = std::array::from_fn(|i| panel.rows[first + i]);
    let outputs: [usize; HEIGHT] = std::array::from_fn(|i| outputs[first + i]);
    // SAFETY: the caller's; lanes behind the columns are not touched.
    unsafe {
        let left: [*const f32; HEIGHT] = std::array::from_fn(|i| panel.left.as_ptr().add(row[i]));
        let load = |from: *const f32, v: usize| match lanes[v] == V::LANES {
            true => V::load(from.add(v * V::LANES)),
            false => V::load_first(from.add(v * V::LANES), lanes[v]),
        };
        let mut sums = [[V::splat(0.0); VECTORS]; HEIGHT];
        match panel.start {
            Start::Zero => {}
            Start::Row(start) => {
                let start: [V; VECTORS] = std::array::from_fn(|v| load(start.as_ptr(), v));
                sums = [start; HEIGHT];
            }
            Start::Column(start) => {
                for (i, sums) in sums.iter_mut().enumerate() {
                    *sums = [V::splat(start[first + i]); VECTORS];
                }
            }
            Start::Output => {
                for (sums, begin) in sums.iter_mut().zip(outputs) {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        *sum = load(output.add(begin), v);
                    }
                }
            }
        }
        let (stride, mut offsets) = match panel.right_rows {
            RightRows::Apart(stride) => (stride, std::ptr::null()),
            RightRows::At(offsets) => (0, offsets.offsets.as_ptr()),
        };
        let mut right = panel.right.as_ptr();
        for run in panel.runs {
            let mut at = run.offset;
            for _ in 0..run.length {
                if AT {
                    right = panel.right.as_ptr().add(*offsets);
                    offsets = offsets.add(1);
                }
                let columns: [V; VECTORS] =
                    std::array::from_fn(|v| V::load(right.add(v * V::LANES)));
                for i in 0..HEIGHT {
                    let value = V::splat(*left[i].add(at));
                    for v in 0..VECTORS {
                        sums[i][v] = value.multiply_add(columns[v], sums[i][v]);
                    }
                }
                at += panel.step;
                if !AT {
                    right = right.wrapping_add(stride);
                }
            }
        }
        for i in 0..HEIGHT {
            for v in 0..VECTORS {
                let to = output.add(outputs[i] + v * V::LANES);
                match lanes[v] == V::LANES {
                    true => sums[i][v].store(to),
                    false => sums[i][v].store_first(to, lanes[v]),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(left: usize, right: usize, output: usize, start: usize) {
        let (left, right, start) = (vec![1.0; left], vec![1.0; right], vec![1.0; start]);
        let panel = Panel {
            left: &left,
            rows: &[0, 10],
            runs: &[Run {
                offset: 2,
                length: 3,
            }],
            step: 2,
            right: &right,
            right_rows: RightRows::Apart(48),
            start: Start::Row(&start),
            columns: 5,
        };
        let mut output = vec![0.0; output];
        panel.write(Simd::detected(), Output::of(&mut output), &[0, 5]);
    }

    #[test]
    fn all_offsets_lie_in_their_slices() {
        write(17, 3 * 48, 10, 5);
        for [left, right, output, start] in [
            [16, 3 * 48, 10, 5],
            [17, 2 * 48, 10, 5],
            [17, 3 * 48, 9, 5],
            [17, 3 * 48, 10, 4],
        ] {
            let write = || write(left, right, output, start);
            assert!(std::panic::catch_unwind(write).is_err());
        }
    }

    #[test]
    fn a_panel_is_no_wider_than_its_vectors() {
        let panel = Panel {
            left: &[1.0],
            rows: &[0],
            runs: &[Run {
                offset: 0,
                length: 1,
            }],
            step: 1,
            right: &[1.0; 64],
            right_rows: RightRows::Apart(64),
            start: Start::Zero,
            columns: 64,
        };
        for set in Simd::supported() {
            let write = || panel.write(set, Output::of(&mut [0.0; 64]), &[0]);
            assert!(std::panic::catch_unwind(write).is_err());
        }
    }

    #[test]
    fn panels_are_as_even_as_vectors_can_be() {
        assert_eq!(width(Simd::Portable, 1), 8);
        #[cfg(target_arch = "x86_64")]
        for (columns, wide) in [(1, 16), (32, 32), (48, 48), (64, 32), (100, 48), (196, 48)] {
            assert_eq!(width(Simd::Avx512, columns), wide);
        }
    }
}
