//! The command line: one file per command.

mod check;
mod filter;
mod kernel;
mod list;
mod load;
mod run;
mod saved;
mod schema;
mod show;
mod signals;
mod trace;

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use crate::limits::{self, LimitError};
use crate::text::{fit, printable};
use crate::{guest, privilege, runner};
use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use rustix::termios::tcgetwinsize;

/// Shows how and when a program learns that its TCP peer is gone, on the real kernel.
#[derive(Debug, Parser)]
#[command(
    name = "harness",
    version,
    max_term_width = 100,
    after_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}")
)]
struct Arguments {
    /// When to use colors
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  harness run scenarios/                     every shipped scenario, all cases in parallel
  harness run scenarios/unreachable.toml     one scenario
  harness run --filter ipv6 scenarios/       only the cases whose name contains ipv6
  harness check my.toml                      validate a file and print the plan of its cases";

const EXIT_STATUS: &str = "\
Exit status:
  0    every case passed or was skipped, and at least one passed (with --deny-skips,
       a skipped case is a failure)
  1    an expectation failed
  2    usage error, or invalid scenario
  3    a case has no verdict, because it did not run on time; or a lab could not be
       built (privileges), a kernel is missing or does not boot, or output could
       not be written
  4    nothing ran: every case was skipped (not with --allow-skips)
  130  interrupted
If several apply, the exit status is the highest.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios, on this machine's kernel or in guest kernels
    Run(run::RunArguments),
    /// Validate scenarios and print the plan, without privileges
    Check(check::CheckArguments),
    /// List scenarios or their cases, with one line each
    List(list::ListArguments),
    /// Print a shipped scenario
    Show(show::ShowArguments),
    /// Print the timelines of a saved result
    Trace(trace::TraceArguments),
    /// Print the JSON Schema of a result, or of a scenario
    Schema(schema::SchemaArguments),
    /// Build and list kernels for virtual time
    Kernel(kernel::KernelArguments),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

/// The documented exit statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    Passed = 0,
    Failed = 1,
    Usage = 2,
    Environment = 3,
    NothingRan = 4,
    Interrupted = 130,
}

/// Parses the arguments of the process, runs the command, and returns the exit status. In a guest
/// kernel, where the program is init, it runs the guest's job and never returns.
#[must_use]
pub fn main() -> ExitCode {
    guest::enter_if_guest(runner::handle);
    match limits::raise_stack_limit() {
        Ok(()) => run_command(Arguments::parse()),
        Err(error) => refused(&error),
    }
}

/// Runs the command.
fn run_command(arguments: Arguments) -> ExitCode {
    let color = match arguments.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    color.write_global();
    let result = drop_privileges(&arguments.command).and_then(|()| match arguments.command {
        Command::Run(run) => run::run(&run),
        Command::Check(check) => check::check(&check),
        Command::List(list) => list::list(&list),
        Command::Show(show) => show::show(&show),
        Command::Trace(trace) => trace::trace(&trace),
        Command::Schema(schema) => schema::schema(&schema),
        Command::Kernel(kernel) => kernel::kernel(&kernel),
    });
    let exit = result.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        Exit::Environment
    });
    ExitCode::from(exit as u8)
}

/// Prints why no command can run, and returns [`Exit::Environment`].
fn refused(error: &LimitError) -> ExitCode {
    complain(&error.to_string());
    ExitCode::from(Exit::Environment as u8)
}

/// Drops the privileges that the command does not need. This happens before any file is opened, so
/// that under sudo each file is opened with the rights of the user who called sudo. `run` drops the
/// rest itself, because only `run` finds out whether it needs them.
fn drop_privileges(command: &Command) -> anyhow::Result<()> {
    privilege::become_caller()?;
    match command {
        Command::Run(_) => Ok(()),
        Command::Check(_)
        | Command::List(_)
        | Command::Show(_)
        | Command::Trace(_)
        | Command::Schema(_)
        | Command::Kernel(_) => Ok(privilege::renounce()?),
    }
}

/// Ignores a write that failed because the reader has closed the pipe (`harness list | head -1`):
/// the command goes on, and the exit status does not change.
fn ignore_broken_pipe(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Writes an error message to standard error.
fn complain(message: &str) {
    write_stderr(&fitted(&format!("error: {}", printable(message))));
}

/// Writes a note to standard error.
fn note(message: &str) {
    write_stderr(&fitted(&format!("note: {}", printable(message))));
}

/// Writes a line to standard error. A write error is ignored: the exit status still reports the
/// failure.
fn write_stderr(text: &str) {
    writeln!(anstream::stderr(), "{text}").ok();
}

/// Returns the text, wrapped to the width of standard error.
fn fitted(text: &str) -> String {
    fit(text, width_of(io::stderr()))
}

/// Returns the maximum length of a line in columns: the width of the terminal, or `usize::MAX` if
/// the stream is not a terminal. Only the columns are used, because a terminal may report its
/// columns but no rows.
fn width_of(stream: impl AsFd) -> usize {
    let columns = tcgetwinsize(stream).map_or(0, |size| size.ws_col);
    match columns {
        0 => usize::MAX,
        columns => columns.into(),
    }
}

/// Whether diagnostics on standard error should have colors.
fn color_on_stderr() -> bool {
    !matches!(
        anstream::AutoStream::choice(&io::stderr()),
        anstream::ColorChoice::Never
    )
}
