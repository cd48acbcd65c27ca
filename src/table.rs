//! Tables, and how they look on a terminal.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent};

/// The cells of a row.
pub type Record = Vec<String>;

/// The rows of a table.
pub type Records = Vec<Record>;

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
    for column in table.column_iter_mut().skip(numbers_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

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
