//! `harness check`: validates scenarios and prints the plan of their cases.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::kernel;
use crate::oracle::Ticks;
use crate::prepare::Prepared;
use crate::report::plan;
use crate::text::plural;

use super::filter::Filter;
use super::load::{load, prepare, warn};
use super::{Exit, ignore_broken_pipe};

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArguments {
    /// Files and folders, or `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    filter: Filter,
}

pub(super) fn check(arguments: &CheckArguments) -> anyhow::Result<Exit> {
    let ticks = kernel::hz().map_or(Ticks::Unknown, Ticks::from);
    let Some(mut scenarios) = load(&arguments.paths)? else {
        return Ok(Exit::Usage);
    };
    arguments.filter.narrow(&mut scenarios);
    if scenarios.iter().all(|scenario| scenario.cases.is_empty()) {
        arguments.filter.complain();
        return Ok(Exit::Usage);
    }
    let Some(cases) = prepare(scenarios.clone(), ticks) else {
        return Ok(Exit::Usage);
    };
    warn(&cases, &scenarios);
    ignore_broken_pipe(print(&cases))?;
    Ok(Exit::Passed)
}

fn print(cases: &[Prepared]) -> io::Result<()> {
    let mut out = anstream::stdout();
    for prepared in cases {
        for line in plan::lines(prepared) {
            writeln!(out, "{line}")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{} valid", plural(cases.len(), "case"))
}
