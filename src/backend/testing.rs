//! The device that tests run on: `BURNLAB_TEST_DEVICE`, or the CPU.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::Device;

/// The device that `BURNLAB_TEST_DEVICE` names, such as `vulkan`; without it the CPU.
pub(crate) fn test_device() -> &'static Device {
    static DEVICE: LazyLock<Device> = LazyLock::new(|| {
        let name = std::env::var("BURNLAB_TEST_DEVICE");
        let name = name.unwrap_or_else(|_| "cpu".to_string());
        Device::parse(&name).unwrap_or_else(|error| panic!("BURNLAB_TEST_DEVICE: {error}"))
    });
    &DEVICE
}

/// Held by every test that draws on a backend's own generator, of which a process has but one.
pub(crate) fn sole_use_of_chance() -> MutexGuard<'static, ()> {
    static CHANCE: Mutex<()> = Mutex::new(());
    CHANCE.lock().unwrap_or_else(PoisonError::into_inner)
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
