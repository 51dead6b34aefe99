//! What is shown when all is over, and the exit status.

use std::io::{self, Write};
use std::time::Duration;

use deadpeer::outcome::{CaseResult, Verdict};
use deadpeer::record::{OnKernel, Record};
use deadpeer::report::{detail, matrix, runs, summary, table};

use super::RunArguments;
use crate::cli::Exit;

pub(super) fn report(
    arguments: &RunArguments,
    record: &Record,
    elapsed: Duration,
) -> io::Result<()> {
    let mut out = anstream::stdout();
    match record.kernels.as_slice() {
        [only] if !arguments.quiet => {
            writeln!(out)?;
            if record.several_runs() {
                runs::write(&mut out, &only.results)?;
            } else {
                table::write(&mut out, &only.results)?;
            }
        }
        _ => {}
    }
    for (_, which, result) in record.results() {
        detail::write(&mut out, arguments.verbose, &which, result)?;
    }
    for run in &record.kernels {
        for line in summary::skips(&run.results) {
            writeln!(out, "\n{line}")?;
        }
    }
    if record.kernels.len() > 1 {
        let columns: Vec<(&str, &[CaseResult])> = record
            .kernels
            .iter()
            .map(|run| (run.kernel.as_str(), run.results.as_slice()))
            .collect();
        writeln!(out)?;
        matrix::write(&mut out, &columns)?;
    }
    let results: Vec<&CaseResult> = record.results().map(|(_, _, result)| result).collect();
    let in_guests = |run: &&OnKernel| {
        let mut results = run.results.iter();
        results.any(|result| result.guest_time.is_some())
    };
    let in_guests = record.kernels.iter().filter(in_guests);
    let in_guests = in_guests.map(|run| run.elapsed).sum();
    let closing = summary::closing(&results, elapsed, in_guests);
    writeln!(out, "\n{closing}")
}

/// The highest of the statuses that apply.
pub(super) fn exit(arguments: &RunArguments, record: &Record) -> Exit {
    let of = |result: &CaseResult| match result.verdict {
        Verdict::Passed | Verdict::Stopped(_) => Exit::Passed,
        Verdict::Skipped(_) if arguments.deny_skips => Exit::Failed,
        Verdict::Skipped(_) => Exit::Passed,
        Verdict::Failed(_) => Exit::Failed,
        Verdict::Error(_) => Exit::Environment,
    };
    if record.kernels.iter().any(|run| run.interrupted) {
        return Exit::Interrupted;
    }
    let results = record.results().map(|(_, _, result)| of(result));
    results.max().unwrap_or(Exit::Passed)
}
