//! The table at the end of a run.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::summary::{self, Row};
use crate::outcome::{CaseResult, Verdict};

const HEADINGS: [&str; 8] = [
    "CASE",
    "EXPECTED",
    "OBSERVED",
    "SINCE FAULT",
    "SINCE ACTIVITY",
    "WINDOW",
    "VERDICT",
    "NOTE",
];

/// The word for a verdict, and how it is shown.
#[must_use]
pub fn verdict(verdict: &Verdict) -> (&'static str, Style) {
    let color = |color: AnsiColor| Style::new().fg_color(Some(color.into())).bold();
    match verdict {
        Verdict::Passed => ("pass", color(AnsiColor::Green)),
        Verdict::Failed(_) => ("FAIL", color(AnsiColor::Red)),
        Verdict::Skipped(_) => ("skip", color(AnsiColor::Yellow)),
        Verdict::Error(_) => ("ERROR", color(AnsiColor::Magenta)),
        Verdict::Stopped(_) => ("stopped", color(AnsiColor::Yellow)),
    }
}

/// Writes the table of all results.
///
/// # Errors
/// What writing returns.
pub fn write(out: &mut dyn Write, results: &[CaseResult]) -> io::Result<()> {
    let rows: Vec<([String; 8], Style)> = results.iter().flat_map(lines).collect();
    let widths: Vec<usize> = HEADINGS
        .iter()
        .enumerate()
        .map(|(column, heading)| {
            rows.iter()
                .map(|(cells, _)| cells[column].chars().count())
                .chain([heading.len()])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let heading = HEADINGS.map(str::to_owned);
    let bold = Style::new().bold();
    write_line(out, &heading, &widths, [bold; 8])?;
    for (cells, style) in &rows {
        let plain = Style::new();
        write_line(
            out,
            cells,
            &widths,
            [plain, plain, plain, plain, plain, plain, *style, plain],
        )?;
    }
    Ok(())
}

fn lines(result: &CaseResult) -> Vec<([String; 8], Style)> {
    let (word, style) = verdict(&result.verdict);
    let cells = |row: Row| {
        [
            row.case,
            row.expected,
            row.observed,
            row.since_fault,
            row.since_activity,
            row.window,
            word.to_owned(),
            row.note,
        ]
    };
    summary::rows(result)
        .into_iter()
        .map(|row| (cells(row), style))
        .collect()
}

fn write_line(
    out: &mut dyn Write,
    cells: &[String; 8],
    widths: &[usize],
    styles: [Style; 8],
) -> io::Result<()> {
    let last = cells.iter().rposition(|cell| !cell.is_empty()).unwrap_or(0);
    for (column, cell) in cells.iter().enumerate().take(last + 1) {
        let style = styles[column];
        let padding = if column == last {
            0
        } else {
            widths[column] - cell.chars().count() + 2
        };
        write!(out, "{style}{cell}{style:#}{:padding$}", "")?;
    }
    writeln!(out)
}
