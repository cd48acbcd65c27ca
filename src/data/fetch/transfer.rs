//! Bytes from an address or a folder into a file.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Kind, Result, io_reason};

/// Writes what an address holds to a file: inside, why the source failed; outside, why this machine did.
pub(super) fn transfer(
    address: &str,
    to: &Path,
    most: u64,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Result<(), String>> {
    let cannot = |error| Error::io(Kind::Data, "write", to, &error);
    let (mut reader, total) = match open(address) {
        Ok(opened) => opened,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut file = fs::File::create(to).map_err(cannot)?;
    let mut buffer = vec![0; 1 << 16];
    let mut done = 0;
    loop {
        let length = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) => return Ok(Err(io_reason(&error))),
        };
        done += length as u64;
        if done > most {
            return Ok(Err(format!(
                "sends more than the {most} bytes expected at most"
            )));
        }
        file.write_all(&buffer[..length]).map_err(cannot)?;
        progress(done, total);
    }
    file.sync_all().map_err(cannot)?;
    Ok(Ok(()))
}

/// A reader of what an address or path holds, and its length where that is said.
fn open(address: &str) -> Result<(Box<dyn Read>, Option<u64>), String> {
    if !address.starts_with("http://") && !address.starts_with("https://") {
        let path = address.strip_prefix("file://").unwrap_or(address);
        let file = fs::File::open(path).map_err(|error| io_reason(&error))?;
        let length = file.metadata().map(|data| data.len()).ok();
        return Ok((Box::new(file), length));
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_resolve(Some(Duration::from_secs(10)))
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .build()
        .into();
    let response = agent.get(address).call().map_err(|error| reason(&error))?;
    let body = response.into_body();
    let length = body.content_length();
    let reader = body.into_with_config().limit(u64::MAX).reader();
    Ok((Box::new(reader), length))
}

fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(code) => format!("the server answers {code}"),
        ureq::Error::HostNotFound => "no such host".to_string(),
        ureq::Error::Timeout(_) => "no answer in time".to_string(),
        ureq::Error::Io(error) => io_reason(error),
        other => other.to_string(),
    }
}
