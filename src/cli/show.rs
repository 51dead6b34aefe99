//! `harness show`: a scenario that ships, as it is in the program.

use std::io::{self, Write};

use deadpeer::scenario::suggest::nearest;
use deadpeer::shipped;

use super::{Exit, complain, unless_unread};

/// What `show` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ShowArguments {
    /// Its path as `harness list` prints it, or the end of that: unreachable, slow/grpc
    #[arg(value_name = "NAME")]
    name: String,
}

const AFTER_HELP: &str = "\
Example:
  harness show unreachable > my-own.toml";

pub(super) fn show(arguments: &ShowArguments) -> anyhow::Result<Exit> {
    let name = arguments.name.as_str();
    match shipped::named(name).as_slice() {
        [(_, text)] => {
            unless_unread(write!(io::stdout(), "{text}"))?;
            Ok(Exit::Passed)
        }
        [] => {
            let stems = shipped::SCENARIOS.iter().map(|(path, _)| stem(path));
            let meant = nearest(name, stems).map(|meant| format!("did you mean {meant}? "));
            let meant = meant.unwrap_or_default();
            complain(&format!(
                "no scenario that ships is named {name}: {meant}`harness list` shows them all"
            ));
            Ok(Exit::Usage)
        }
        several => {
            let paths: Vec<&str> = several.iter().map(|(path, _)| *path).collect();
            let paths = paths.join(" or ");
            complain(&format!("{name} may be {paths}: say which"));
            Ok(Exit::Usage)
        }
    }
}

/// `slow/grpc` of `scenarios/slow/grpc.toml`.
fn stem(path: &str) -> &str {
    let path = path.strip_prefix("scenarios/").unwrap_or(path);
    path.strip_suffix(".toml").unwrap_or(path)
}
