//! `harness trace`: the timelines of a result that was saved.

use std::io::{self, Write};
use std::path::PathBuf;

use console::Term;
use deadpeer::record::Record;
use deadpeer::report::{detail, summary};

use super::filter::Filter;
use super::saved::saved;
use super::{Exit, unless_unread, width_of};

/// What `trace` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct TraceArguments {
    /// A result of `harness run --report-json`
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
    let selects = |name: &str| arguments.filter.selects(name);
    let mut names = record
        .results()
        .map(|(_, _, result)| &result.prepared.case.id.0);
    if !names.any(|name| selects(name)) {
        arguments.filter.complain();
        return Ok(Exit::Usage);
    }
    unless_unread(print(&record, selects))?;
    Ok(Exit::Passed)
}

fn print(record: &Record, selects: impl Fn(&str) -> bool) -> io::Result<()> {
    let mut out = anstream::stdout();
    let width = width_of(&Term::stdout());
    for (_, which, result) in record.results() {
        if selects(&result.prepared.case.id.0) {
            detail::write(&mut out, true, &which, result, width)?;
        }
    }
    let several = record.kernels.len() > 1;
    for run in &record.kernels {
        let on = several.then_some(run.kernel.as_str());
        let results = run.results.iter();
        let selected: Vec<_> = results
            .filter(|result| selects(&result.prepared.case.id.0))
            .cloned()
            .collect();
        for line in summary::skips(&selected, on, width) {
            writeln!(out, "\n{line}")?;
        }
    }
    Ok(())
}
