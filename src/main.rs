//! `harness`: arguments to a command, a command's result to an exit status; nothing else.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::main(cli::Arguments::parse())
}
