//! What stands in for GPUs where the build leaves them out.

use super::{Device, not_built_in};
use crate::error::Result;

pub(super) fn models() -> Result<Vec<String>> {
    Err(not_built_in("cuda"))
}

pub(super) fn open(_number: usize) -> Result<Device> {
    Err(not_built_in("cuda"))
}
