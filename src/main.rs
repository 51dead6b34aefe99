//! `harness`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    deadpeer::cli::main()
}
