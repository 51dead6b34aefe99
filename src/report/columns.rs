//! A table of text columns, each as wide as its widest cell. Columns that do not fit on a line go
//! into further, indented lines.

use std::io::{self, Write};
use std::ops::Range;

use anstyle::Style;
use textwrap::core::display_width;

/// The space between two columns.
const GAP: usize = 2;

/// One line of a table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// One cell per heading.
    pub(super) cells: Vec<String>,
    /// The cells with a style of their own.
    pub(super) marked: Vec<(usize, Style)>,
}

/// Writes an empty line, the headings and the rows; nothing if there is no row. No line is longer
/// than `width`.
pub(super) fn write(
    out: &mut dyn Write,
    headings: &[&str],
    rows: &[Row],
    width: usize,
) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let headings: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
    let layout = Layout::new(&headings, rows, width);
    let bold = Style::new().bold();
    layout.write_row(out, &headings, |_| bold)?;
    for row in rows {
        let style = |column| {
            let mark = row.marked.iter().find(|(marked, _)| *marked == column);
            mark.map_or(Style::new(), |(_, style)| *style)
        };
        layout.write_row(out, &row.cells, style)?;
    }
    Ok(())
}

/// The width of each column, and the columns of each line.
struct Layout {
    widths: Vec<usize>,
    lines: Vec<Range<usize>>,
    /// The indentation of all lines but the first.
    indent: usize,
}

impl Layout {
    fn new(headings: &[String], rows: &[Row], width: usize) -> Self {
        let natural = |column: usize| {
            let cells = rows.iter().map(|row| &row.cells[column]);
            let cells = cells.chain([&headings[column]]);
            cells.map(|cell| display_width(cell)).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..headings.len()).map(natural).collect();
        let indent = (widths.first().map_or(0, |first| first + GAP)).min(width / 4);
        let mut lines = Vec::new();
        let (mut first, mut used) = (0, 0);
        for (column, own) in widths.iter_mut().enumerate() {
            *own = (*own).min(width.saturating_sub(indent).max(1));
            if column > first && used + GAP + *own > width {
                lines.push(first..column);
                (first, used) = (column, indent);
            } else {
                used += if column > first { GAP } else { 0 };
            }
            used += *own;
        }
        lines.push(first..headings.len());
        Self {
            widths,
            lines,
            indent,
        }
    }

    /// Writes a row. A line whose cells are all empty is left out.
    fn write_row(
        &self,
        out: &mut dyn Write,
        cells: &[String],
        style: impl Fn(usize) -> Style,
    ) -> io::Result<()> {
        for (number, columns) in self.lines.iter().enumerate() {
            let Some(last) = columns.clone().rfind(|column| !cells[*column].is_empty()) else {
                continue;
            };
            let indent = if number == 0 { 0 } else { self.indent };
            let wrapped: Vec<_> = (columns.start..=last)
                .map(|column| textwrap::wrap(&cells[column], self.widths[column]))
                .collect();
            let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
            for line in 0..height {
                let texts = wrapped
                    .iter()
                    .map(|cell| cell.get(line).map_or("", |text| text));
                let texts: Vec<&str> = texts.collect();
                write!(out, "{:indent$}", "")?;
                self.write_line(out, columns.start, &texts, &style)?;
            }
        }
        Ok(())
    }

    fn write_line(
        &self,
        out: &mut dyn Write,
        first: usize,
        texts: &[&str],
        style: impl Fn(usize) -> Style,
    ) -> io::Result<()> {
        let last = texts.iter().rposition(|text| !text.is_empty()).unwrap_or(0);
        for (place, text) in texts.iter().enumerate().take(last + 1) {
            let style = style(first + place);
            let padding = if place == last {
                0
            } else {
                self.widths[first + place] - display_width(text) + GAP
            };
            write!(out, "{style}{text}{style:#}{:padding$}", "")?;
        }
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(width: usize) -> String {
        let row = |cells: [&str; 4]| Row {
            cells: cells.map(str::to_owned).to_vec(),
            marked: Vec::new(),
        };
        let rows = [
            row(["pass", "a/long-name/ipv4", "ETIMEDOUT", "one; two; three"]),
            row(["FAIL", "b/ipv4", "survives", ""]),
        ];
        let mut out = anstream::StripStream::new(Vec::new());
        let headings = ["VERDICT", "CASE", "OBSERVED", "NOTE"];
        write(&mut out, &headings, &rows, width).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn what_fits_is_one_line() {
        insta::assert_snapshot!(written(usize::MAX).trim_start(), @r"
        VERDICT  CASE              OBSERVED   NOTE
        pass     a/long-name/ipv4  ETIMEDOUT  one; two; three
        FAIL     b/ipv4            survives
        ");
    }

    #[test]
    fn a_column_that_does_not_fit_goes_into_a_line_of_its_own() {
        insta::assert_snapshot!(written(40).trim_start(), @r"
        VERDICT  CASE              OBSERVED
                 NOTE
        pass     a/long-name/ipv4  ETIMEDOUT
                 one; two; three
        FAIL     b/ipv4            survives
        ");
    }

    #[test]
    fn a_cell_that_fits_nowhere_is_broken() {
        insta::assert_snapshot!(written(18).trim_start(), @r"
        VERDICT
            CASE
            OBSERVED
            NOTE
        pass
            a/long-
            name/ipv4
            ETIMEDOUT
            one; two;
            three
        FAIL
            b/ipv4
            survives
        ");
    }

    #[test]
    fn no_line_is_longer_than_the_width() {
        for width in 16..80 {
            let longest = written(width).lines().map(display_width).max();
            assert!(longest <= Some(width), "{width}:\n{}", written(width));
        }
    }
}
