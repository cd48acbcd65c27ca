//! What modules and optimizers remember, as a stream of bytes: MessagePack of Burn's records.
//!
//! Burn's own recorders give all bytes at once, which of a large network takes several times its memory.

use std::io::{self, Read, Write};

use burn::record::{FullPrecisionSettings, Record};
use burn::tensor::backend::Backend;
use rmp_serde::{decode, encode};

/// Writes a record, to be read by [`read_record`].
///
/// # Errors
/// What is written to takes no more.
pub fn write_record<B: Backend, R: Record<B>>(record: R, mut to: &mut dyn Write) -> io::Result<()> {
    let item = record.into_item::<FullPrecisionSettings>();
    encode::write(&mut to, &item).map_err(|error| match error {
        encode::Error::InvalidValueWrite(error) => error.into(),
        error => io::Error::other(error),
    })
}

/// Reads what [`write_record`] wrote, and no byte more.
///
/// # Errors
/// There is none such.
pub fn read_record<B: Backend, R: Record<B>>(
    from: &mut dyn Read,
    device: &B::Device,
) -> io::Result<R> {
    let item = decode::from_read(from).map_err(io::Error::other)?;
    Ok(R::from_item::<FullPrecisionSettings>(item, device))
}
