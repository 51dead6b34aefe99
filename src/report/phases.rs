//! The table of a run at several phases of the kernel's clock: how the time of the error varies.

use std::io::{self, Write};
use std::time::Duration;

use super::columns;
use super::summary;
use super::table;
use crate::outcome::{CaseResult, Verdict};
use crate::text::seconds;

const HEADINGS: [&str; 8] = [
    "CASE", "PHASES", "OBSERVED", "MIN", "MEDIAN", "MAX", "WINDOW", "VERDICT",
];

/// Writes one line for each end of each case.
///
/// # Errors
/// What writing returns.
pub fn write(out: &mut dyn Write, results: &[CaseResult]) -> io::Result<()> {
    let rows = results
        .chunk_by(|a, b| a.prepared.case.id == b.prepared.case.id)
        .flat_map(rows);
    columns::write(out, &HEADINGS, &rows.collect::<Vec<_>>())
}

fn rows(results: &[CaseResult]) -> Vec<columns::Row> {
    let Some(first) = results.first() else {
        return Vec::new();
    };
    // The verdict that a person should look at: the first that is not a pass.
    let worst = results
        .iter()
        .map(|result| &result.verdict)
        .find(|verdict| **verdict != Verdict::Passed)
        .unwrap_or(&first.verdict);
    let (word, style) = table::verdict(worst);
    let of_each: Vec<Vec<summary::Row>> = results.iter().map(summary::rows).collect();
    let ends = first
        .prepared
        .observed()
        .zip(summary::rows(first))
        .enumerate();
    ends.map(|(position, ((end, _), row))| {
        let mut times: Vec<Duration> = results
            .iter()
            .flat_map(|result| summary::detection_times(result, end))
            .collect();
        times.sort_unstable();
        let time = |at: usize| times.get(at).copied().map(seconds).unwrap_or_default();
        let mut observed: Vec<&str> = of_each
            .iter()
            .filter_map(|rows| Some(rows.get(position)?.observed.as_str()))
            .collect();
        observed.dedup();
        columns::Row {
            cells: vec![
                row.case,
                results.len().to_string(),
                observed.join(", "),
                time(0),
                time(times.len() / 2),
                time(times.len().saturating_sub(1)),
                row.window,
                word.to_owned(),
            ],
            marked: vec![(7, style)],
        }
    })
    .collect()
}
