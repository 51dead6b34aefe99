//! `harness show`: a scenario that ships, as it is in the program.

use std::io::{self, Write};

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
            complain(&unknown(name));
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

fn unknown(name: &str) -> String {
    let files = shipped::in_folder(shipped::stem(name));
    if !files.is_empty() {
        let files: Vec<&str> = files.into_iter().map(shipped::stem).collect();
        return format!("{name} is a folder: name one of {}", files.join(", "));
    }
    let meant = shipped::nearest(name);
    let meant = meant.map(|path| format!("did you mean {}? ", shipped::stem(path)));
    let meant = meant.unwrap_or_default();
    format!("no scenario that ships is named {name}: {meant}`harness list` shows them all")
}
