//! As what numbers factors are multiplied: what a run asks for, and what is in force on a thread.

use std::cell::Cell;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// As what numbers a device takes the factors of its products, the most exact first; sums are always of 32-bit floats.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floats, with 23 bits after the point.
    #[default]
    F32,
    /// What NVIDIA's tensor cores take of 32-bit floats: 10 bits.
    Tf32,
    /// 7 bits, or less.
    Bf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
        })
    }
}

thread_local! {
    static IN_FORCE: Cell<Precision> = const { Cell::new(Precision::F32) };
}

impl Precision {
    /// What was asked for on this thread.
    #[cfg(any(test, feature = "cuda", feature = "vulkan"))]
    pub(super) fn in_force() -> Precision {
        IN_FORCE.get()
    }

    /// Works with this precision on this thread, and with the one from before afterwards.
    pub(super) fn during<T>(self, work: impl FnOnce() -> T) -> T {
        struct Restore(Precision);
        impl Drop for Restore {
            fn drop(&mut self) {
                IN_FORCE.set(self.0);
            }
        }
        let _restore = Restore(IN_FORCE.replace(self));
        work()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precision_is_in_force_during_the_work_alone() {
        let seen = Precision::Tf32.during(|| {
            let inner = Precision::Bf16.during(Precision::in_force);
            (inner, Precision::in_force())
        });
        assert_eq!(seen, (Precision::Bf16, Precision::Tf32));
        let broken = std::panic::catch_unwind(|| Precision::Tf32.during(|| panic!("at work")));
        assert!(broken.is_err());
        assert_eq!(Precision::in_force(), Precision::F32);
    }
}
