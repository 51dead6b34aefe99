//! `harness list`.

use std::io::{self, Write};
use std::path::PathBuf;

use deadpeer::scenario::model::Scenario;
use deadpeer::scenario::{self, LoadErrors};
use deadpeer::shipped;

use super::{Exit, color_on_stderr, tell, unless_unread};

/// What `list` takes.
#[derive(Debug, clap::Args)]
pub(super) struct ListArguments {
    /// Files and folders; without any, the scenarios that ship
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Lists what can be read; what cannot is told, and makes the exit status.
pub(super) fn list(arguments: &ListArguments) -> anyhow::Result<Exit> {
    let (scenarios, wrong) = if arguments.paths.is_empty() {
        shipped::scenarios()
    } else {
        scenario::load_each(&arguments.paths)
    };
    unless_unread(print(&scenarios))?;
    if wrong.is_empty() {
        return Ok(Exit::Passed);
    }
    tell(&LoadErrors(wrong).render(color_on_stderr()));
    Ok(Exit::Usage)
}

fn print(scenarios: &[Scenario]) -> io::Result<()> {
    let names: Vec<String> = scenarios
        .iter()
        .map(|scenario| scenario.path.display().to_string())
        .collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let mut out = anstream::stdout();
    for (name, scenario) in names.iter().zip(scenarios) {
        writeln!(out, "{name:width$}  {}", scenario.summary)?;
    }
    Ok(())
}
