//! Comma-separated values.

use crate::error::{Error, Result};

/// The records as bytes, the header first; `name` is for errors.
pub fn csv<R, C>(name: &str, records: impl IntoIterator<Item = R>) -> Result<Vec<u8>>
where
    R: IntoIterator<Item = C>,
    C: AsRef<[u8]>,
{
    let broken = |error: String| Error::bug(format!("cannot make {name}: {error}"));
    let mut table = ::csv::Writer::from_writer(Vec::new());
    for record in records {
        let written = table.write_record(record);
        written.map_err(|error| broken(error.to_string()))?;
    }
    let bytes = table.into_inner();
    bytes.map_err(|error| broken(error.to_string()))
}
