//! Which of the processor's instructions the kernels use.
//!
//! All sets give the same bits, so the best one is taken unless `BURNLAB_SIMD` names another.

use std::sync::LazyLock;

use crate::error::{Error, Problem, Result, did_you_mean};

/// A set of kernels, the fastest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simd {
    /// Vectors of 16 values.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Vectors of 8 values.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Vectors of 4 values.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// What every processor can do; slow where it has no fused multiply-add.
    Portable,
}

/// What `BURNLAB_SIMD` may be, on one machine or another.
const NAMES: &[&str] = &["avx512", "avx2", "neon", "portable"];

impl Simd {
    /// All that this build has.
    const ALL: &[Simd] = &[
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512,
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2,
        #[cfg(target_arch = "aarch64")]
        Simd::Neon,
        Simd::Portable,
    ];

    /// As `BURNLAB_SIMD` names it.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Simd::Neon => "neon",
            Simd::Portable => "portable",
        }
    }

    fn is_supported(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512 => {
                Simd::Avx2.is_supported()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
            }
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "aarch64")]
            Simd::Neon => true,
            Simd::Portable => true,
        }
    }

    /// Those that this machine has, the fastest first.
    pub fn supported() -> impl Iterator<Item = Simd> {
        Simd::ALL.iter().copied().filter(|set| set.is_supported())
    }

    fn best() -> Simd {
        Simd::supported().next().unwrap_or(Simd::Portable)
    }

    /// The set that `BURNLAB_SIMD` names, or the best; looked up once.
    pub fn detected() -> Simd {
        static CHOSEN: LazyLock<Simd> =
            LazyLock::new(|| Simd::asked_for().unwrap_or_else(|_| Simd::best()));
        *CHOSEN
    }

    /// The same, with an error where the variable cannot be followed.
    ///
    /// # Errors
    /// `BURNLAB_SIMD` names no set, or one that this machine has not.
    pub fn asked_for() -> Result<Simd> {
        match std::env::var_os("BURNLAB_SIMD") {
            None => Ok(Simd::best()),
            Some(name) => Simd::parse(&name.to_string_lossy()),
        }
    }

    fn parse(name: &str) -> Result<Simd> {
        let names: Vec<&str> = Simd::supported().map(Simd::name).collect();
        if let Some(set) = Simd::supported().find(|set| set.name() == name) {
            return Ok(set);
        }
        let (message, hint) = match NAMES.contains(&name) {
            true => {
                let message = format!("`BURNLAB_SIMD` is `{name}`, which this machine cannot run");
                (message, did_you_mean("", &names))
            }
            false => {
                let message = format!("`BURNLAB_SIMD` is `{name}`, which is no set of kernels");
                (message, did_you_mean(name, &names))
            }
        };
        Err(Error::usage(Problem::new(message).maybe_hint(hint)))
    }
}

/// Advises the processor to bring a value, and those beside it, into its caches; it may lie anywhere.
#[inline(always)]
pub fn prefetch(value: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: advice reads nothing.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(value.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// A function whose code is compiled once for each set, and called by it: `name(simd, ...)`.
///
/// All do the same operations in the same order: a compiler makes vectors of them, but no fused multiply-adds that
/// are not written.
macro_rules! on_every_set {
    ($(#[$doc:meta])* $access:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $output:ty)? $body:block) => {
        $(#[$doc])*
        $access fn $name(simd: $crate::backend::cpu::Simd, $($argument: $type),*) $(-> $output)? {
            #[inline(always)]
            fn each($($argument: $type),*) $(-> $output)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
            fn avx512($($argument: $type),*) $(-> $output)? {
                each($($argument),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $type),*) $(-> $output)? {
                each($($argument),*)
            }

            match simd {
                // SAFETY: a set is only taken where the processor has it.
                #[cfg(target_arch = "x86_64")]
                $crate::backend::cpu::Simd::Avx512 => unsafe { avx512($($argument),*) },
                // SAFETY: the same.
                #[cfg(target_arch = "x86_64")]
                $crate::backend::cpu::Simd::Avx2 => unsafe { avx2($($argument),*) },
                _ => each($($argument),*),
            }
        }
    };
}

pub(super) use on_every_set;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_go_by_their_names() {
        for set in Simd::supported() {
            assert_eq!(Simd::parse(set.name()), Ok(set));
        }
        let wrong = |name: &str| Simd::parse(name).unwrap_err().to_string();
        assert_eq!(
            wrong("portabel"),
            "error: `BURNLAB_SIMD` is `portabel`, which is no set of kernels\n  hint: did you mean `portable`?"
        );
        let missing = if cfg!(target_arch = "aarch64") {
            "avx2"
        } else {
            "neon"
        };
        let message = wrong(missing);
        let start = format!(
            "error: `BURNLAB_SIMD` is `{missing}`, which this machine cannot run\n  hint: known here: "
        );
        assert!(message.starts_with(&start), "{message}");
    }
}
