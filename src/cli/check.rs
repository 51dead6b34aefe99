//! `harness check`: is it valid, and what would it do?

use std::io::Write;
use std::path::PathBuf;

use deadpeer::kernel;
use deadpeer::oracle::Ticks;
use deadpeer::report::plan;

use super::Exit;
use super::load::{load, prepare};

/// What `check` takes.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArguments {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn check(arguments: &CheckArguments) -> anyhow::Result<Exit> {
    let ticks = kernel::hz().map_or(Ticks::Unknown, Ticks::from);
    let Some(cases) = load(&arguments.paths).and_then(|scenarios| prepare(scenarios, ticks)) else {
        return Ok(Exit::Usage);
    };
    let mut out = anstream::stdout();
    for prepared in &cases {
        for line in plan::lines(prepared) {
            writeln!(out, "{line}")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{} valid", deadpeer::text::plural(cases.len(), "case"))?;
    Ok(Exit::Passed)
}
