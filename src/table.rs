//! Tables, and how they look on a terminal.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, TableComponent};

/// The cells of a row.
pub type Record = Vec<String>;

/// The rows of a table.
pub type Records = Vec<Record>;

/// Numbers from this on are written with an exponent: a loss that grew without bounds is no column's width.
pub const LARGE: f64 = 1e9;

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
/// On a terminal it is made to fit, without a number that is broken: headers and texts take several lines; where that is not
/// enough, every row is a block of its own, with a line a cell. Elsewhere it is as wide as it needs to be.
pub fn draw<T: AsRef<str>>(header: &[T], rows: &[Record], numbers_from: usize) -> String {
    let header: Vec<&str> = header.iter().map(AsRef::as_ref).collect();
    // Some terminals that programs open say that they have no columns.
    let width = Table::new().width().filter(|width| *width > 0);
    draw_within(width, &header, rows, numbers_from)
}

/// At least as much of a terminal is for a column of texts.
const LEAST_TEXT: u16 = 16;

fn draw_within(
    width: Option<u16>,
    header: &[&str],
    rows: &[Record],
    numbers_from: usize,
) -> String {
    let table = unfitted(header, rows, numbers_from);
    let fits = |widths: &[u16]| width.is_none_or(|width| needed(widths) <= width);
    if fits(&table.column_max_content_widths()) {
        return table.trim_fmt();
    }
    let broken = broken(header, rows);
    let broken: Vec<&str> = broken.iter().map(String::as_str).collect();
    let mut table = unfitted(&broken, rows, numbers_from);
    let mut widths = table.column_max_content_widths();
    if fits(&widths) {
        return table.trim_fmt();
    }
    let texts = numbers_from.min(widths.len());
    for text in &mut widths[..texts] {
        *text = LEAST_TEXT.min(*text);
    }
    if !fits(&widths) {
        return blocks(header, rows);
    }
    for column in table.column_iter_mut().skip(texts) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width.unwrap_or(u16::MAX));
    table.trim_fmt()
}

fn unfitted(header: &[&str], rows: &[Record], numbers_from: usize) -> Table {
    let mut table = Table::new();
    table
        .load_preset(UTF8_HORIZONTAL_ONLY)
        .remove_style(TableComponent::HorizontalLines)
        .remove_style(TableComponent::MiddleIntersections)
        .remove_style(TableComponent::LeftBorderIntersections)
        .remove_style(TableComponent::RightBorderIntersections)
        .set_header(header)
        .add_rows(rows);
    for column in table.column_iter_mut().skip(numbers_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// What a table takes whose columns are so wide: each has a space on both sides, and one parts it from the next.
fn needed(widths: &[u16]) -> u16 {
    let columns = widths.iter().map(|width| width.saturating_add(3));
    columns.fold(0, u16::saturating_add).saturating_sub(1)
}

/// Headers in several lines, parted behind underscores, dashes and spaces, where they are wider than what stands below them.
fn broken(header: &[&str], rows: &[Record]) -> Vec<String> {
    let of_column = |(column, name): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let below = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        let parts = name.split_inclusive(['_', '-', ' ']);
        let room = parts.clone().map(str::len).max().unwrap_or(0).max(below);
        let mut lines: Vec<String> = Vec::new();
        for part in parts {
            match lines.last_mut() {
                Some(line) if line.len() + part.len() <= room => *line += part,
                _ => lines.push(part.to_string()),
            }
        }
        lines.join("\n")
    };
    header.iter().enumerate().map(of_column).collect()
}

/// Every row as lines of a name and a cell.
fn blocks(header: &[&str], rows: &[Record]) -> String {
    let width = header.iter().map(|name| name.chars().count()).max();
    let width = width.unwrap_or(0);
    let cells = |row| {
        header
            .iter()
            .zip(row)
            .filter(|(_, cell): &(_, &String)| !cell.is_empty())
    };
    let line = |(name, cell)| format!(" {name:width$}   {cell}\n");
    let rule = "─".repeat(width + 10);
    let mut text = format!("{rule}\n");
    for row in rows {
        text.extend(cells(row).map(line));
        text += &rule;
        text.push('\n');
    }
    text.trim_end().to_string()
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

    const HEADER: [&str; 4] = ["variant", "runs", "validation_accuracy", "parameters"];

    fn within(width: u16) -> String {
        let row = ["a variant of a long name", "2", "0.9276 ± 0.0006", "12,730"];
        draw_within(Some(width), &HEADER, &[row.map(String::from).to_vec()], 1)
    }

    #[test]
    fn a_table_fits_its_terminal_and_breaks_no_number() {
        for width in 48..100 {
            let text = within(width);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest.unwrap() <= usize::from(width), "{width}\n{text}");
            assert!(text.contains("0.9276 ± 0.0006"), "{width}\n{text}");
        }
        let line = |width, number| within(width).lines().nth(number).unwrap().to_string();
        let header = " variant                    runs   validation_accuracy   parameters";
        assert_eq!(line(68, 1), header);
        let header = " variant                    runs       validation_   parameters";
        assert_eq!(line(67, 1), header);
        assert_eq!(line(67, 2).trim(), "accuracy");
        assert!(line(60, 4).starts_with(" a variant of a long       2   0.9276"));
        assert_eq!(line(48, 3), " validation_accuracy   0.9276 ± 0.0006");
        let rows = ["dense_1", "12,730"].map(String::from);
        let text = draw_within(Some(22), &["layer", "multiply-adds"], &[rows.to_vec()], 1);
        assert!(text.contains("  multiply-\n"), "{text}");
    }
}
