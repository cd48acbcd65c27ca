//! Vectors of `f32` as the kernels see them: loads, stores and fused multiply-adds, lane by lane.

/// A few values that the processor handles at once.
///
/// # Safety
/// Methods must run where the processor has the instructions, and pointers be valid for the lanes that are named.
pub(super) trait Vector: Copy {
    const LANES: usize;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// The first `lanes`, zeros behind them.
    unsafe fn load_first(from: *const f32, lanes: usize) -> Self;
    unsafe fn store_first(self, to: *mut f32, lanes: usize);
    /// `self * factor + sum`, rounded once.
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self;
}

/// What every processor can do.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; 8]);

impl Vector for Plain {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Plain([value; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        Plain(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, lanes: usize) -> Self {
        let mut values = [0.0; 8];
        for (lane, value) in values.iter_mut().enumerate().take(lanes) {
            // SAFETY: the caller's.
            *value = unsafe { from.add(lane).read() };
        }
        Plain(values)
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, lanes: usize) {
        for (lane, value) in self.0.iter().enumerate().take(lanes) {
            // SAFETY: the caller's.
            unsafe { to.add(lane).write(*value) }
        }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        Plain(std::array::from_fn(|lane| {
            self.0[lane].mul_add(factor.0[lane], sum.0[lane])
        }))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Vector;

    impl Vector for __m512 {
        const LANES: usize = 16;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller's.
            unsafe { _mm512_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's.
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's.
            unsafe { _mm512_storeu_ps(to, self) }
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f32, lanes: usize) -> Self {
            // SAFETY: the caller's; lanes behind the mask are not touched.
            unsafe { _mm512_maskz_loadu_ps(((1u32 << lanes) - 1) as __mmask16, from) }
        }

        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, lanes: usize) {
            // SAFETY: the caller's; lanes behind the mask are not touched.
            unsafe { _mm512_mask_storeu_ps(to, ((1u32 << lanes) - 1) as __mmask16, self) }
        }

        #[inline(always)]
        unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
            // SAFETY: the caller's.
            unsafe { _mm512_fmadd_ps(self, factor, sum) }
        }
    }

    /// Ones, then zeros: the eight from `8 - n` on keep the first `n` lanes.
    static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

    #[inline(always)]
    unsafe fn mask(lanes: usize) -> __m256i {
        let masks = &MASKS[8 - lanes..16 - lanes];
        // SAFETY: eight numbers of 32 bits.
        unsafe { _mm256_loadu_si256(masks.as_ptr().cast()) }
    }

    impl Vector for __m256 {
        const LANES: usize = 8;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller's.
            unsafe { _mm256_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's.
            unsafe { _mm256_storeu_ps(to, self) }
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f32, lanes: usize) -> Self {
            // SAFETY: the caller's; lanes behind the mask are not touched.
            unsafe { _mm256_maskload_ps(from, mask(lanes)) }
        }

        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, lanes: usize) {
            // SAFETY: the caller's; lanes behind the mask are not touched.
            unsafe { _mm256_maskstore_ps(to, mask(lanes), self) }
        }

        #[inline(always)]
        unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
            // SAFETY: the caller's.
            unsafe { _mm256_fmadd_ps(self, factor, sum) }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::Vector;

    impl Vector for float32x4_t {
        const LANES: usize = 4;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller's.
            unsafe { vdupq_n_f32(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's.
            unsafe { vld1q_f32(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's.
            unsafe { vst1q_f32(to, self) }
        }

        #[inline(always)]
        unsafe fn load_first(from: *const f32, lanes: usize) -> Self {
            let mut values = [0.0; 4];
            for (lane, value) in values.iter_mut().enumerate().take(lanes) {
                // SAFETY: the caller's.
                *value = unsafe { from.add(lane).read() };
            }
            // SAFETY: four values.
            unsafe { vld1q_f32(values.as_ptr()) }
        }

        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, lanes: usize) {
            let mut values = [0.0; 4];
            // SAFETY: four values.
            unsafe { vst1q_f32(values.as_mut_ptr(), self) }
            for (lane, value) in values.iter().enumerate().take(lanes) {
                // SAFETY: the caller's.
                unsafe { to.add(lane).write(*value) }
            }
        }

        #[inline(always)]
        unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
            // SAFETY: the caller's.
            unsafe { vfmaq_f32(sum, self, factor) }
        }
    }
}
