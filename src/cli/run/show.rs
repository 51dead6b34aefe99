//! What is shown when all is over, and the exit status.

use std::io::{self, Write};
use std::time::Duration;

use anstyle::Style;
use deadpeer::outcome::{CaseResult, Verdict};
use deadpeer::report::{matrix, runs, summary, table, trace};

use super::{OnKernel, RunArguments, variations};
use crate::cli::Exit;

pub(super) fn report(
    arguments: &RunArguments,
    runs: &[OnKernel],
    elapsed: Duration,
) -> io::Result<()> {
    let mut out = anstream::stdout();
    let several = runs.len() > 1;
    for run in runs {
        let results = &run.finished.results;
        if !arguments.quiet && !several {
            writeln!(out)?;
            if arguments.several_runs() {
                runs::write(&mut out, results)?;
            } else {
                table::write(&mut out, results)?;
            }
        }
        for (position, result) in results.iter().enumerate() {
            let kernel = several.then(|| format!("on {}", run.kernel));
            let label = variations::label(arguments, position);
            let which: Vec<String> = kernel.into_iter().chain(label).collect();
            detail(arguments, &mut out, &which.join(", "), result)?;
        }
        for line in summary::skips(results) {
            writeln!(out, "\n{line}")?;
        }
    }
    if several {
        let columns: Vec<(&str, &[CaseResult])> = runs
            .iter()
            .map(|run| (run.kernel.as_str(), run.finished.results.as_slice()))
            .collect();
        writeln!(out)?;
        matrix::write(&mut out, &columns)?;
    }
    let results: Vec<&CaseResult> = runs.iter().flat_map(|run| &run.finished.results).collect();
    let in_guests = |run: &&OnKernel| {
        let results = &run.finished.results;
        results.iter().any(|result| result.guest_time.is_some())
    };
    let in_guests = runs.iter().filter(in_guests).map(|run| run.elapsed).sum();
    let closing = summary::closing(&results, elapsed, in_guests);
    writeln!(out, "\n{closing}")
}

/// The timeline and the evidence where they are asked for, and all that there is to say of a case that did not pass.
fn detail(
    arguments: &RunArguments,
    out: &mut dyn Write,
    which: &str,
    result: &CaseResult,
) -> io::Result<()> {
    let bold = Style::new().bold();
    let on = if which.is_empty() {
        String::new()
    } else {
        format!("{which}: ")
    };
    match &result.verdict {
        Verdict::Passed if arguments.verbose => {
            writeln!(out, "\n{on}{bold}{}{bold:#}", result.prepared.case.id)?;
            trace::write(out, result)?;
            for line in summary::evidence(result) {
                writeln!(out, "  {line}")?;
            }
        }
        // Those that were skipped are told together.
        Verdict::Passed | Verdict::Stopped(_) | Verdict::Skipped(_) => {}
        other => {
            let (word, style) = table::verdict(other);
            write!(out, "\n{style}{word}{style:#} {on}")?;
            for line in summary::failure(result) {
                writeln!(out, "{line}")?;
            }
            if arguments.verbose {
                trace::write(out, result)?;
            }
        }
    }
    Ok(())
}

/// The highest of the statuses that apply.
pub(super) fn exit(arguments: &RunArguments, runs: &[OnKernel]) -> Exit {
    let of = |result: &CaseResult| match result.verdict {
        Verdict::Passed | Verdict::Stopped(_) => Exit::Passed,
        Verdict::Skipped(_) if arguments.deny_skips => Exit::Failed,
        Verdict::Skipped(_) => Exit::Passed,
        Verdict::Failed(_) => Exit::Failed,
        Verdict::Error(_) => Exit::Environment,
    };
    if runs.iter().any(|run| run.finished.interrupted) {
        return Exit::Interrupted;
    }
    let results = runs.iter().flat_map(|run| &run.finished.results);
    results.map(of).max().unwrap_or(Exit::Passed)
}
