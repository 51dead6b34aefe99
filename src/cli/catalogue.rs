//! `harness catalogue`: the shipped scenarios with what was observed of them.

use std::io::{self, Write};
use std::path::PathBuf;

use deadpeer::report::catalogue as page;
use deadpeer::scenario::LoadErrors;
use deadpeer::shipped;

use super::saved::saved;
use super::{Exit, color_on_stderr, complain, tell, unless_unread};

/// What `catalogue` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CatalogueArguments {
    /// A result of `harness run --report-json`, of every scenario that ships, on one kernel
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

const AFTER_HELP: &str = "\
Example:
  harness run --warp --report-json result.json scenarios/
  harness catalogue result.json > docs/catalogue.md";

pub(super) fn catalogue(arguments: &CatalogueArguments) -> anyhow::Result<Exit> {
    let record = match saved(&arguments.file)? {
        Ok(record) => record,
        Err(exit) => return Ok(exit),
    };
    let (scenarios, wrong) = shipped::scenarios();
    if !wrong.is_empty() {
        tell(&LoadErrors(wrong).render(color_on_stderr()));
        return Ok(Exit::Usage);
    }
    let run = match page::one_of_all(&record, &scenarios) {
        Ok(run) => run,
        Err(error) => {
            complain(&format!("{}: {error}", arguments.file.display()));
            return Ok(Exit::Usage);
        }
    };
    let page = page::page(&scenarios, Some(run));
    unless_unread(write!(io::stdout(), "{page}"))?;
    Ok(Exit::Passed)
}
