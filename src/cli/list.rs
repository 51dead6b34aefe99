//! `harness list`.

use std::io::Write;
use std::path::PathBuf;

use deadpeer::scenario;

use super::Exit;

/// What `list` takes.
#[derive(Debug, clap::Args)]
pub(super) struct ListArguments {
    /// Files and folders
    #[arg(default_value = "scenarios")]
    paths: Vec<PathBuf>,
}

pub(super) fn list(arguments: &ListArguments) -> anyhow::Result<Exit> {
    let scenarios = match scenario::load(&arguments.paths) {
        Ok(scenarios) => scenarios,
        Err(wrong) => {
            writeln!(
                anstream::stderr(),
                "{}",
                wrong.render(super::color_on_stderr())
            )?;
            return Ok(Exit::Usage);
        }
    };
    let names: Vec<String> = scenarios
        .iter()
        .map(|scenario| scenario.path.display().to_string())
        .collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let mut out = anstream::stdout();
    for (name, scenario) in names.iter().zip(&scenarios) {
        writeln!(out, "{name:width$}  {}", scenario.summary)?;
    }
    Ok(Exit::Passed)
}
