//! Uninitialized memory that is written whole.

use std::mem::MaybeUninit;

/// The `count` numbers that `write` writes.
///
/// # Safety
/// It writes all of them.
pub unsafe fn written(count: usize, write: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut made = Vec::with_capacity(count);
    write(&mut made.spare_capacity_mut()[..count]);
    // SAFETY: the caller's.
    unsafe { made.set_len(count) };
    made
}

/// Places that hold nothing yet, once all numbers of `from` are copied to them.
///
/// # Panics
/// There are more places, or fewer.
pub fn copied<'a>(from: &[f32], to: &'a mut [MaybeUninit<f32>]) -> &'a mut [f32] {
    assert_eq!(from.len(), to.len());
    for (to, from) in to.iter_mut().zip(from) {
        to.write(*from);
    }
    // SAFETY: every place was just written.
    unsafe { &mut *(std::ptr::from_mut(to) as *mut [f32]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_there() {
        // SAFETY: all is copied to.
        let made = unsafe {
            written(3, |to| {
                assert_eq!(copied(&[1.0, 2.0, 3.0], to), [1.0, 2.0, 3.0])
            })
        };
        assert_eq!(made, [1.0, 2.0, 3.0]);
    }

    #[test]
    #[should_panic]
    fn nothing_is_left_out() {
        copied(&[1.0, 2.0], &mut [MaybeUninit::uninit(); 3]);
    }
}
