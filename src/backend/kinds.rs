//! The registry of kinds of devices: one file each, one line each.
//!
//! A file has `Backend`, the Burn backend without gradients; `IS_GPU`; `models()`, the names of the machine's
//! devices of the kind in the order of their numbers, or what is missing; `requirements(number)`, what is missing to
//! use one; `memory(number)`, its free and whole bytes where that can be had; `is_shared()`, whether processes use one side
//! by side instead of in turns; and `device(number)`, Burn's own name.

/// Makes [`Kind`], its names, and what leads from a device to its backend.
///
/// `Kind, file, "name", condition;`: without the condition the build knows the name alone. The best come first.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $file:ident, $name:literal, $built:meta;)+) => {
        $(#[cfg($built)] mod $file;)+

        /// Names that a device may be asked for by; `cuda:N` stands for one GPU of several.
        pub const NAMES: &[&str] = &["auto", $($name),+];

        /// A kind of device that this build can use.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Kind { $($(#[$doc])* #[cfg($built)] $kind,)+ }

        impl Kind {
            const ALL: &[Kind] = &[$(#[cfg($built)] Kind::$kind),+];

            /// The kind of one of [`NAMES`].
            fn named(name: &str) -> Result<Kind> {
                match name {
                    $(#[cfg($built)] $name => Ok(Kind::$kind),)+
                    other => Err(not_built_in(other)),
                }
            }

            fn name(self) -> &'static str {
                match self {
                    $(#[cfg($built)] Kind::$kind => $name,)+
                }
            }

            fn is_gpu(self) -> bool {
                match self {
                    $(#[cfg($built)] Kind::$kind => $file::IS_GPU,)+
                }
            }

            fn models(self) -> Result<Vec<Option<String>>> {
                match self {
                    $(#[cfg($built)] Kind::$kind => $file::models(),)+
                }
            }

            fn requirements(self, number: usize) -> Result<()> {
                match self {
                    $(#[cfg($built)] Kind::$kind => $file::requirements(number),)+
                }
            }

            fn memory(self, number: usize) -> Result<Option<(u64, u64)>> {
                match self {
                    $(#[cfg($built)] Kind::$kind => $file::memory(number),)+
                }
            }

            fn is_shared(self) -> bool {
                match self {
                    $(#[cfg($built)] Kind::$kind => $file::is_shared(),)+
                }
            }
        }

        impl Device {
            /// Does a piece of work on the device's backend.
            pub fn run<W: Work>(&self, work: W) -> W::Output {
                self.precision.during(|| match self.kind {
                    $(#[cfg($built)]
                    Kind::$kind => work.run::<Autodiff<$file::Backend>>($file::device(self.number)),)+
                })
            }
        }
    };
}
