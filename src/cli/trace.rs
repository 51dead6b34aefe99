//! `harness trace`: prints the timelines of a saved result.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::outcome::CaseResult;
use crate::record::Record;
use crate::report::{detail, summary};

use super::filter::Filter;
use super::saved::saved;
use super::{Exit, ignore_broken_pipe, width_of};

/// The arguments of `trace`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct TraceArguments {
    /// A file that `harness run --report-json` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    filter: Filter,
}

const AFTER_HELP: &str = "\
Examples:
  harness run --report-json result.json scenarios/
  harness trace --filter crashed/socket-options/ipv4 result.json";

pub(super) fn trace(arguments: &TraceArguments) -> anyhow::Result<Exit> {
    let record = match saved(&arguments.file)? {
        Ok(record) => record,
        Err(exit) => return Ok(exit),
    };
    let selects = |result: &CaseResult| arguments.filter.selects(&result.prepared);
    if !record.results().any(|(_, _, result)| selects(result)) {
        arguments.filter.complain();
        return Ok(Exit::Usage);
    }
    ignore_broken_pipe(print(&record, selects))?;
    Ok(Exit::Passed)
}

fn print(record: &Record, selects: impl Fn(&CaseResult) -> bool) -> io::Result<()> {
    let mut out = anstream::stdout();
    let width = width_of(io::stdout());
    for (_, which, result) in record.results() {
        if selects(result) {
            detail::write(&mut out, true, &which, result, width)?;
        }
    }
    let several = record.kernels.len() > 1;
    for run in &record.kernels {
        let on = several.then_some(run.kernel.as_str());
        let results = run.results.iter();
        let selected: Vec<_> = results.filter(|result| selects(result)).cloned().collect();
        for line in summary::skips(&selected, on, width) {
            writeln!(out, "\n{line}")?;
        }
    }
    Ok(())
}
