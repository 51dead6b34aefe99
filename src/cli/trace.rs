//! `harness trace`: the timelines of a result that was saved.

use std::io::{self, Write};
use std::path::PathBuf;

use deadpeer::record::Record;
use deadpeer::report::{detail, summary};

use super::saved::saved;
use super::{Exit, complain, unless_unread};

/// What `trace` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct TraceArguments {
    /// A result of `harness run --report-json`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only the cases whose name contains TEXT; may be given several times
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
}

const AFTER_HELP: &str = "\
Examples:
  harness run --report-json result.json scenarios/
  harness trace --filter crashed/socket-options/ipv4 result.json";

pub(super) fn trace(arguments: &TraceArguments) -> anyhow::Result<Exit> {
    let path = arguments.file.display();
    let record = match saved(&arguments.file)? {
        Ok(record) => record,
        Err(exit) => return Ok(exit),
    };
    let selects = |name: &str| {
        let mut filters = arguments.filter.iter();
        arguments.filter.is_empty() || filters.any(|text| name.contains(text.as_str()))
    };
    let mut names = record
        .results()
        .map(|(_, _, result)| &result.prepared.case.id.0);
    if !names.any(|name| selects(name)) {
        let wanted = arguments.filter.join(" or ");
        complain(&format!(
            "{path}: no case has a name that contains {wanted}"
        ));
        return Ok(Exit::Usage);
    }
    unless_unread(print(&record, selects))?;
    Ok(Exit::Passed)
}

fn print(record: &Record, selects: impl Fn(&str) -> bool) -> io::Result<()> {
    let mut out = anstream::stdout();
    for (_, which, result) in record.results() {
        if selects(&result.prepared.case.id.0) {
            detail::write(&mut out, true, &which, result)?;
        }
    }
    for run in &record.kernels {
        let results = run.results.iter();
        let selected: Vec<_> = results
            .filter(|result| selects(&result.prepared.case.id.0))
            .cloned()
            .collect();
        for line in summary::skips(&selected) {
            writeln!(out, "\n{line}")?;
        }
    }
    Ok(())
}
