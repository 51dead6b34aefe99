//! Columns of text, as wide as their widest cell.

use std::io::{self, Write};

use anstyle::Style;

/// One line of a table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// As many as there are headings.
    pub(super) cells: Vec<String>,
    /// The cells that are to be noticed, and how.
    pub(super) marked: Vec<(usize, Style)>,
}

/// Writes the headings and the rows.
pub(super) fn write(out: &mut dyn Write, headings: &[&str], rows: &[Row]) -> io::Result<()> {
    let headings: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| &row.cells[column]);
        let cells = cells.chain([&headings[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let bold = Style::new().bold();
    write_line(out, &headings, &widths, |_| bold)?;
    for row in rows {
        let style = |column| {
            let mark = row.marked.iter().find(|(marked, _)| *marked == column);
            mark.map_or(Style::new(), |(_, style)| *style)
        };
        write_line(out, &row.cells, &widths, style)?;
    }
    Ok(())
}

fn write_line(
    out: &mut dyn Write,
    cells: &[String],
    widths: &[usize],
    style: impl Fn(usize) -> Style,
) -> io::Result<()> {
    let last = cells.iter().rposition(|cell| !cell.is_empty()).unwrap_or(0);
    for (column, cell) in cells.iter().enumerate().take(last + 1) {
        let style = style(column);
        let padding = if column == last {
            0
        } else {
            widths[column] - cell.chars().count() + 2
        };
        write!(out, "{style}{cell}{style:#}{:padding$}", "")?;
    }
    writeln!(out)
}
