//! The device that tests run on: `BURNLAB_TEST_DEVICE`, or the CPU.

use std::cell::Cell;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::{Device, Precision, Precisions};

/// The device that `BURNLAB_TEST_DEVICE` names, such as `vulkan`; without it the CPU.
pub(crate) fn test_device() -> &'static Device {
    static DEVICE: LazyLock<Device> = LazyLock::new(|| {
        let name = std::env::var("BURNLAB_TEST_DEVICE");
        let name = name.unwrap_or_else(|_| "cpu".to_string());
        Device::parse(&name).unwrap_or_else(|error| panic!("BURNLAB_TEST_DEVICE: {error}"))
    });
    &DEVICE
}

/// By how much more than with 32-bit floats results may be off where the device rounds factors before it multiplies.
///
/// A factor with 10 bits after the point is off by up to 2^-11, one with 7 by up to 2^-8; tolerances for 32-bit floats
/// are about 2^-13. `BURNLAB_ANY_NUMBERS` lets all numbers pass, for a driver that compiles kernels and launches none.
pub(crate) fn tolerance_factor() -> f32 {
    static FACTOR: LazyLock<f32> = LazyLock::new(|| {
        if std::env::var_os("BURNLAB_ANY_NUMBERS").is_some() {
            return f32::INFINITY;
        }
        let found = test_device().check();
        let Precisions {
            products,
            convolutions,
        } = found.unwrap_or_else(|error| panic!("{error}"));
        let factor = |precision| match precision {
            Precision::F32 => 1.0,
            Precision::Tf32 => 30.0,
            Precision::Bf16 => 240.0,
        };
        f32::max(factor(products), factor(convolutions))
    });
    *FACTOR
}

/// Held by every test whose gradients flow: Burn keeps the graphs of all threads together, and a thread that goes back
/// through one may drop what another is just recording.
pub(crate) fn sole_use_of_graphs() -> SoleUse {
    static GRAPHS: Mutex<()> = Mutex::new(());
    if HOLDS_GRAPHS.replace(true) {
        return SoleUse(None);
    }
    SoleUse(Some(GRAPHS.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// What the thread that has it already is given again does nothing.
pub(crate) struct SoleUse(Option<MutexGuard<'static, ()>>);

thread_local! {
    static HOLDS_GRAPHS: Cell<bool> = const { Cell::new(false) };
}

impl Drop for SoleUse {
    fn drop(&mut self) {
        if self.0.is_some() {
            HOLDS_GRAPHS.set(false);
        }
    }
}

/// Calls a function that is generic over the backend, `function::<B>(&device, arguments)`, on the device of the tests.
///
/// Types of arguments that borrow are written with the lifetime `'a`.
macro_rules! on_test_device {
    ($function:ident($($name:ident: $type:ty),* $(,)?) -> $output:ty) => {{
        struct Call<'a> {
            $($name: $type,)*
            borrowed: std::marker::PhantomData<&'a ()>,
        }
        impl<'a> $crate::backend::Work for Call<'a> {
            type Output = $output;

            fn run<B: $crate::backend::TrainingBackend>(self, device: B::Device) -> $output {
                $function::<B>(&device, $(self.$name),*)
            }
        }
        $crate::backend::testing::test_device().run(Call {
            $($name,)*
            borrowed: std::marker::PhantomData,
        })
    }};
}

pub(crate) use on_test_device;
