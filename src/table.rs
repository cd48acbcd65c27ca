//! Tables, and how they look on a terminal.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent};

/// The cells of a row.
pub type Record = Vec<String>;

/// The rows of a table.
pub type Records = Vec<Record>;

/// Numbers from this on are written with an exponent: a loss that grew without bounds is no column's width.
const LARGE: f64 = 1e9;

/// A number with this many digits behind the point. What rounds to 0 has no sign: `0.0000`; from 1e9 on it has an exponent.
pub fn fixed(number: f64, decimals: usize) -> String {
    if number.is_finite() && number.abs() >= LARGE {
        return format!("{number:.decimals$e}");
    }
    let text = format!("{number:.decimals$}");
    match text.strip_prefix('-') {
        Some(size) if size.bytes().all(|byte| matches!(byte, b'0' | b'.')) => size.to_string(),
        _ => text,
    }
}

/// A table with a header; columns from `numbers_from` on are set to the right.
///
/// On a terminal it is made to fit; elsewhere it is as wide as it needs to be.
pub fn draw<T: AsRef<str>>(header: &[T], rows: &[Record], numbers_from: usize) -> String {
    let mut table = Table::new();
    table
        .load_preset(UTF8_HORIZONTAL_ONLY)
        .remove_style(TableComponent::HorizontalLines)
        .remove_style(TableComponent::MiddleIntersections)
        .remove_style(TableComponent::LeftBorderIntersections)
        .remove_style(TableComponent::RightBorderIntersections)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.iter().map(AsRef::as_ref))
        .add_rows(rows);
    // Some terminals that programs open say that they have no columns.
    if table.width() == Some(0) {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    for column in table.column_iter_mut().skip(numbers_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(fixed(-0.0, 4), "0.0000");
        assert_eq!(fixed(-0.00004, 4), "0.0000");
        assert_eq!(fixed(-0.00006, 4), "-0.0001");
        assert_eq!(fixed(-0.4, 0), "0");
        assert_eq!(fixed(f64::NEG_INFINITY, 4), "-inf");
        assert_eq!(fixed(-2.32190e31, 4), "-2.3219e31");
        assert_eq!(fixed(999_999_999.0, 1), "999999999.0");
    }

    #[test]
    fn numbers_stand_to_the_right_under_one_rule() {
        let rows = [["a", "1"], ["long", "10,000"]].map(|row| row.map(String::from).to_vec());
        let text = draw(&["name", "count"], &rows, 1);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6, "{text}");
        assert_eq!(lines[1], " name    count");
        assert_eq!(lines[3], " a           1");
        assert_eq!(lines[4], " long   10,000");
    }
}
