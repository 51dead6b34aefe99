//! The table at the end of a run.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::columns;
use super::row::{self, Row};
use crate::model::{End, Expectation};
use crate::outcome::{CaseResult, Verdict};

const HEADINGS: [&str; 8] = [
    "VERDICT",
    "CASE",
    "EXPECTED",
    "OBSERVED",
    "SINCE FAULT",
    "SINCE ACTIVITY",
    "WINDOW",
    "NOTE",
];

/// The style of something that is neither a pass nor a failure, but should be noticed.
pub(super) const NOTABLE: Style = color(AnsiColor::Yellow);

const fn color(color: AnsiColor) -> Style {
    Style::new()
        .fg_color(Some(anstyle::Color::Ansi(color)))
        .bold()
}

/// Returns the word for a verdict, and its style.
#[must_use]
pub(crate) fn verdict(verdict: &Verdict) -> (&'static str, Style) {
    match verdict {
        Verdict::Passed => ("pass", color(AnsiColor::Green)),
        Verdict::Failed(_) => ("FAIL", color(AnsiColor::Red)),
        Verdict::Skipped(_) => ("skip", NOTABLE),
        Verdict::Undecided(_) => ("none", color(AnsiColor::Magenta)),
        Verdict::Error(_) => ("ERROR", color(AnsiColor::Magenta)),
        Verdict::Stopped(_) => ("stopped", NOTABLE),
    }
}

/// Writes the table of all results that were not skipped; nothing if all were skipped. No line is
/// longer than `width`.
///
/// # Errors
/// The error of the writer.
pub(crate) fn write(out: &mut dyn Write, results: &[CaseResult], width: usize) -> io::Result<()> {
    let rows: Vec<columns::Row> = results.iter().flat_map(lines).collect();
    columns::write(out, &HEADINGS, &rows, width)
}

fn lines(result: &CaseResult) -> Vec<columns::Row> {
    // `summary::skips` reports all skipped cases together.
    if matches!(result.verdict, Verdict::Skipped(_)) {
        return Vec::new();
    }
    let line = |((end, _), row): ((End, &Expectation), Row)| {
        let (word, style) = verdict(row::verdict(&result.verdict, end));
        columns::Row {
            cells: vec![
                word.to_owned(),
                row.case,
                row.expected,
                row.observed,
                row.since_fault,
                row.since_activity,
                row.window,
                row.note,
            ],
            marked: vec![(0, style)],
        }
    };
    let ends = result.prepared.observed();
    ends.zip(row::rows(result)).map(line).collect()
}
