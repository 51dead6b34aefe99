//! `harness show`: prints a shipped scenario, the copy that is built into the program.

use std::io::{self, Write};

use crate::shipped;

use super::{Exit, complain, ignore_broken_pipe};

/// The arguments of `show`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ShowArguments {
    /// The path as `harness list` prints it, or the last part of it: unreachable, slow/grpc
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
            ignore_broken_pipe(write!(io::stdout(), "{text}"))?;
            Ok(Exit::Passed)
        }
        [] => {
            complain(&unknown(name));
            Ok(Exit::Usage)
        }
        several => {
            let paths: Vec<&str> = several.iter().map(|(path, _)| *path).collect();
            let paths = paths.join(" or ");
            complain(&format!("{name} is ambiguous: use {paths}"));
            Ok(Exit::Usage)
        }
    }
}

fn unknown(name: &str) -> String {
    let files = shipped::in_folder(shipped::stem(name));
    if !files.is_empty() {
        let files: Vec<&str> = files.into_iter().map(shipped::stem).collect();
        return format!("{name} is a folder: name one of {}", files.join(", "));
    }
    let meant = shipped::nearest(name);
    let meant = meant.map(|path| format!("did you mean {}? ", shipped::stem(path)));
    let meant = meant.unwrap_or_default();
    format!("no shipped scenario is named {name}: {meant}`harness list` prints all names")
}
