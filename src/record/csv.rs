//! Comma-separated values.

use crate::error::{Error, Result};

/// What a spreadsheet takes for a formula by its first character, numbers excepted.
fn harmless(cell: &[u8]) -> Vec<u8> {
    let is_formula = matches!(cell, [b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r', _, ..]);
    let is_number = || std::str::from_utf8(cell).is_ok_and(|text| text.parse::<f64>().is_ok());
    let quote: &[u8] = if is_formula && !is_number() {
        b"'"
    } else {
        b""
    };
    [quote, cell].concat()
}

/// The records as bytes, the header first; `name` is for errors.
///
/// A text that a spreadsheet would take for a formula gets an apostrophe before it, as OWASP's "CSV Injection"
/// has it: names of classes and files are in tables, and whoever made them need not be whoever opens the table.
pub fn csv<R, C>(name: &str, records: impl IntoIterator<Item = R>) -> Result<Vec<u8>>
where
    R: IntoIterator<Item = C>,
    C: AsRef<[u8]>,
{
    let broken = |error: String| Error::bug(format!("cannot make {name}: {error}"));
    let mut table = ::csv::Writer::from_writer(Vec::new());
    for record in records {
        let cells = record.into_iter().map(|cell| harmless(cell.as_ref()));
        let written = table.write_record(cells);
        written.map_err(|error| broken(error.to_string()))?;
    }
    let bytes = table.into_inner();
    bytes.map_err(|error| broken(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_takes_for_a_formula_is_made_a_text() {
        let formulas = ["=1+1", "+1-cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1"];
        let others = ["-0.5", "+3", "-1e-3", "-inf", "-", "=", "a=1", "'=1", ""];
        let table = csv("a table", [formulas.to_vec(), others.to_vec()]);
        assert!(table.is_err(), "rows are equally long");
        let table = |cells: &[&str]| {
            let bytes = csv("a table", [cells]).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            table(&formulas),
            "'=1+1,'+1-cmd,'-2+3,'@SUM(A1),'\t=1,\"'\r=1\"\n"
        );
        assert_eq!(table(&others), "-0.5,+3,-1e-3,-inf,-,=,a=1,'=1,\n");
    }
}
