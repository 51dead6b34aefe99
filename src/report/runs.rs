//! The table for cases that ran several times (`--phases`, `--repeat`): how the outcome and its
//! time vary.

use std::io::{self, Write};
use std::time::Duration;

use super::columns;
use super::row;
use super::table;
use crate::model::End;
use crate::outcome::{CaseResult, Verdict};
use crate::text::seconds;

const HEADINGS: [&str; 8] = [
    "VERDICT", "CASE", "RUNS", "OBSERVED", "MIN", "MEDIAN", "MAX", "WINDOW",
];

/// Writes one row for each end of each case that has a run that was not skipped. No line is longer
/// than `width`.
///
/// # Errors
/// The error of the writer.
pub(crate) fn write(out: &mut dyn Write, results: &[CaseResult], width: usize) -> io::Result<()> {
    let cases = of_each_case(results).filter(|runs| !all_skipped(runs));
    columns::write(
        out,
        &HEADINGS,
        &cases.flat_map(rows).collect::<Vec<_>>(),
        width,
    )
}

/// Returns whether all runs were skipped. `summary::skips` reports these with their reasons.
pub(super) fn all_skipped(results: &[CaseResult]) -> bool {
    let is_skipped = |result: &CaseResult| matches!(result.verdict, Verdict::Skipped(_));
    results.iter().all(is_skipped)
}

/// Returns the runs of each case. The runs of a case must be adjacent.
pub(super) fn of_each_case(results: &[CaseResult]) -> impl Iterator<Item = &[CaseResult]> {
    results.chunk_by(|a, b| a.prepared.case.id == b.prepared.case.id)
}

/// The outcomes of one end in all runs of a case.
#[derive(Debug)]
pub(super) struct Varied {
    /// The end of the connection.
    pub(super) end: End,
    /// The name of the case, with the end if both are observed.
    pub(super) case: String,
    /// Each different outcome once, with its count if there are several.
    pub(super) observed: String,
    /// The detection times, from the origin of the window; sorted.
    pub(super) times: Vec<Duration>,
    window: String,
}

/// Returns the outcomes of each observed end.
pub(super) fn varied(results: &[CaseResult]) -> Vec<Varied> {
    let of_each: Vec<Vec<row::Row>> = results.iter().map(row::rows).collect();
    let Some(first) = results.first() else {
        return Vec::new();
    };
    let ends = first.prepared.observed().zip(row::rows(first));
    ends.enumerate()
        .map(|(position, ((end, _), row))| {
            let observed = of_each.iter().filter_map(|rows| rows.get(position));
            Varied {
                end,
                case: row.case,
                observed: counted(observed.map(|row| row.observed.as_str())),
                times: times(results, end),
                window: row.window,
            }
        })
        .collect()
}

fn times(results: &[CaseResult], end: End) -> Vec<Duration> {
    let mut times: Vec<Duration> = results
        .iter()
        .flat_map(|result| row::detection_times(result, end))
        .collect();
    times.sort_unstable();
    times
}

/// Returns each different text once, with its count if there are several. An empty text stands for
/// no observation and is left out.
fn counted<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let mut known: Vec<(&str, usize)> = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        match known.iter_mut().find(|(other, _)| *other == text) {
            Some((_, count)) => *count += 1,
            None => known.push((text, 1)),
        }
    }
    match known.as_slice() {
        [(text, _)] => (*text).to_owned(),
        several => several
            .iter()
            .map(|(text, count)| format!("{text} x{count}"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Returns the most severe verdict on one end, and the number of runs with it.
pub(super) fn worst<'r>(
    results: impl Iterator<Item = &'r CaseResult> + Clone,
    end: End,
) -> Option<(&'r Verdict, usize)> {
    let verdicts = || {
        let results = results.clone();
        results.map(|result| row::verdict(&result.verdict, end))
    };
    let worst = verdicts().max_by_key(|verdict| severity(verdict))?;
    let same = |verdict: &&Verdict| severity(verdict) == severity(worst);
    Some((worst, verdicts().filter(same).count()))
}

fn severity(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Passed => 0,
        Verdict::Skipped(_) => 1,
        Verdict::Stopped(_) => 2,
        Verdict::Failed(_) => 3,
        Verdict::Undecided(_) => 4,
        Verdict::Error(_) => 5,
    }
}

/// Returns the word for a verdict: `FAIL`, or `FAIL x2` if other runs have another verdict.
pub(super) fn word(verdict: &Verdict, count: usize, of: usize) -> String {
    let (word, _) = table::verdict(verdict);
    if count == of {
        word.to_owned()
    } else {
        format!("{word} x{count}")
    }
}

fn rows(results: &[CaseResult]) -> Vec<columns::Row> {
    let all = results.len();
    let seen = results.iter().filter(|result| result.observation.is_some());
    let runs = match seen.count() {
        seen if seen == all => all.to_string(),
        seen => format!("{seen} of {all}"),
    };
    let row = |end: Varied| {
        let (verdict, count) = worst(results.iter(), end.end)?;
        let time = |at: usize| end.times.get(at).copied().map(seconds).unwrap_or_default();
        let times = [0, end.times.len() / 2, end.times.len().saturating_sub(1)].map(time);
        let [min, median, max] = times;
        Some(columns::Row {
            cells: vec![
                word(verdict, count, all),
                end.case,
                runs.clone(),
                end.observed,
                min,
                median,
                max,
                end.window,
            ],
            marked: vec![(0, table::verdict(verdict).1)],
        })
    };
    varied(results).into_iter().filter_map(row).collect()
}
