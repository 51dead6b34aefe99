//! The table at the end of a run.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::columns;
use super::row::{self, Row};
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

/// How something is shown that is neither right nor wrong, but should be seen.
pub(super) const NOTABLE: Style = color(AnsiColor::Yellow);

const fn color(color: AnsiColor) -> Style {
    Style::new()
        .fg_color(Some(anstyle::Color::Ansi(color)))
        .bold()
}

/// The word for a verdict, and how it is shown.
#[must_use]
pub fn verdict(verdict: &Verdict) -> (&'static str, Style) {
    match verdict {
        Verdict::Passed => ("pass", color(AnsiColor::Green)),
        Verdict::Failed(_) => ("FAIL", color(AnsiColor::Red)),
        Verdict::Skipped(_) => ("skip", NOTABLE),
        Verdict::Error(_) => ("ERROR", color(AnsiColor::Magenta)),
        Verdict::Stopped(_) => ("stopped", NOTABLE),
    }
}

/// Writes the table of all results.
///
/// # Errors
/// What writing returns.
pub fn write(out: &mut dyn Write, results: &[CaseResult]) -> io::Result<()> {
    let rows: Vec<columns::Row> = results.iter().flat_map(lines).collect();
    columns::write(out, &HEADINGS, &rows)
}

fn lines(result: &CaseResult) -> Vec<columns::Row> {
    let (word, style) = verdict(&result.verdict);
    let line = |row: Row| columns::Row {
        cells: vec![
            row.case,
            row.expected,
            row.observed,
            row.since_fault,
            row.since_activity,
            row.window,
            word.to_owned(),
            row.note,
        ],
        marked: vec![(6, style)],
    };
    row::rows(result).into_iter().map(line).collect()
}
