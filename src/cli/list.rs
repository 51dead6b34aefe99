//! `harness list`: prints scenarios or their cases, one line each.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::scenario;
use crate::scenario::{Case, Clock, Scenario};
use crate::shipped;

use super::filter::Filter;
use super::load::{print_errors, sources};
use super::{Exit, ignore_broken_pipe};

/// The arguments of `list`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArguments {
    /// Files and folders, or `-` for standard input; the default is the shipped scenarios
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// List the cases, each with its file and line, and whether it is slow
    #[arg(long)]
    cases: bool,
    #[command(flatten)]
    filter: Filter,
}

/// Lists all files that can be read. If a file cannot be read, its errors go to standard error and
/// the result is [`Exit::Usage`].
pub(super) fn list(arguments: &ListArguments) -> anyhow::Result<Exit> {
    let (mut scenarios, wrong) = if arguments.paths.is_empty() {
        shipped::scenarios()
    } else {
        scenario::load_each(sources(&arguments.paths)?)
    };
    arguments.filter.narrow(&mut scenarios);
    scenarios.retain(|scenario| !scenario.cases.is_empty());
    let lines: Vec<(String, String)> = if arguments.cases {
        let of = |scenario: &Scenario| -> Vec<(String, String)> {
            let line = |case: &Case| (case.id.0.clone(), place(scenario, case));
            scenario.cases.iter().map(line).collect()
        };
        scenarios.iter().flat_map(of).collect()
    } else {
        let line = |scenario: &Scenario| {
            let path = scenario.path.display().to_string();
            (path, scenario.summary.clone())
        };
        scenarios.iter().map(line).collect()
    };
    ignore_broken_pipe(print(&lines))?;
    if !wrong.is_empty() {
        print_errors(wrong);
        return Ok(Exit::Usage);
    }
    if lines.is_empty() {
        arguments.filter.complain();
        return Ok(Exit::Usage);
    }
    Ok(Exit::Passed)
}

/// The place of a case, and the clock that it needs: `scenarios/slow/grpc.toml:20, slow`.
fn place(scenario: &Scenario, case: &Case) -> String {
    let clock = match case.clock {
        Clock::Any => "",
        Clock::Slow => ", slow",
        Clock::Virtual => ", in virtual time only",
    };
    format!("{}:{}{clock}", scenario.path.display(), case.line)
}

fn print(lines: &[(String, String)]) -> io::Result<()> {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = anstream::stdout();
    for (name, text) in lines {
        writeln!(out, "{name:width$}  {text}")?;
    }
    Ok(())
}
