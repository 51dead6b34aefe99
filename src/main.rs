//! `harness`: parses the arguments, runs the command, and returns its exit status.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    deadpeer::guest::enter_if_guest(deadpeer::runner::handle);
    match deadpeer::limits::raise_stack_limit() {
        Ok(()) => cli::main(cli::Arguments::parse()),
        Err(error) => cli::refused(&error),
    }
}
