//! The report at the end of a run, and the exit status.

use std::io::{self, Write};
use std::time::Duration;

use crate::outcome::{CaseResult, Verdict};
use crate::record::{OnKernel, Record};
use crate::report::{detail, matrix, runs, summary, table};
use crate::text::fit;

use super::RunArguments;
use crate::cli::Exit;

/// Writes the table, the details of the cases that did not pass, the skipped cases, and the closing
/// line.
pub(super) fn report(
    arguments: &RunArguments,
    record: &Record,
    elapsed: Duration,
) -> io::Result<()> {
    let mut out = arguments.out();
    let width = arguments.width();
    match record.kernels.as_slice() {
        [_] if arguments.quiet => {}
        [only] if record.several_runs() => runs::write(&mut out, &only.results, width)?,
        [only] => table::write(&mut out, &only.results, width)?,
        several => {
            let columns = several
                .iter()
                .map(|run| (run.kernel.as_str(), run.results.as_slice()));
            let columns: Vec<(&str, &[CaseResult])> = columns.collect();
            matrix::write(&mut out, &columns, arguments.quiet, width)?;
        }
    }
    for (_, which, result) in record.results() {
        detail::write(&mut out, arguments.verbose, &which, result, width)?;
    }
    let several = record.kernels.len() > 1;
    for run in &record.kernels {
        let on = several.then_some(run.kernel.as_str());
        for line in summary::skips(&run.results, on, width) {
            writeln!(out, "\n{line}")?;
        }
    }
    let results: Vec<&CaseResult> = record.results().map(|(_, _, result)| result).collect();
    let in_guests = |run: &&OnKernel| {
        let mut results = run.results.iter();
        results.any(|result| result.guest_time.is_some())
    };
    let in_guests = record.kernels.iter().filter(in_guests);
    let in_guests = in_guests.map(|run| run.elapsed).sum();
    let closing = summary::closing(&results, elapsed, in_guests);
    writeln!(out, "\n{}", fit(&closing, width))
}

/// Returns [`Exit::Interrupted`] or [`Exit::NothingRan`] if one of them applies, or else the
/// highest status of all results.
pub(super) fn exit(arguments: &RunArguments, record: &Record) -> Exit {
    let of = |result: &CaseResult| match result.verdict {
        Verdict::Passed | Verdict::Stopped(_) => Exit::Passed,
        Verdict::Skipped(_) if arguments.deny_skips => Exit::Failed,
        Verdict::Skipped(_) => Exit::Passed,
        Verdict::Failed(_) => Exit::Failed,
        Verdict::Undecided(_) | Verdict::Error(_) => Exit::Environment,
    };
    if record.kernels.iter().any(|run| run.interrupted) {
        return Exit::Interrupted;
    }
    let verdicts = || record.results().map(|(_, _, result)| result);
    let is_skipped = |result: &CaseResult| matches!(result.verdict, Verdict::Skipped(_));
    if !arguments.allow_skips && verdicts().all(is_skipped) {
        return Exit::NothingRan;
    }
    verdicts().map(of).max().unwrap_or(Exit::Passed)
}
