//! The command line: one file a command.

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

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use deadpeer::limits::LimitError;
use deadpeer::privilege;
use deadpeer::text::{fit, printable};
use rustix::termios::tcgetwinsize;

/// Shows how and when a program learns that its TCP peer is gone, on the real kernel.
#[derive(Debug, Parser)]
#[command(
    name = "harness",
    version,
    max_term_width = 100,
    after_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}")
)]
pub(crate) struct Arguments {
    /// When to use colors
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  harness run scenarios/                     every scenario that ships, all cases at once
  harness run scenarios/unreachable.toml     one scenario
  harness run --filter ipv6 scenarios/       only the cases whose name contains ipv6
  harness check my.toml                      is it valid, and what would it do?";

const EXIT_STATUS: &str = "\
Exit status:
  0    every case passed, or was skipped and another one passed (not with --deny-skips)
  1    an expectation failed
  2    usage, or an invalid scenario
  3    a case has no verdict, because it did not run on time; or a lab could not be
       built (privileges), a kernel is missing or does not boot, or output could
       not be written
  4    nothing ran: every case was skipped (not with --allow-skips)
  130  interrupted
Where several apply, the highest.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios, on this machine's kernel or in guest kernels
    Run(run::RunArguments),
    /// Validate scenarios and print the plan, without privileges
    Check(check::CheckArguments),
    /// List scenarios or their cases, with one line each
    List(list::ListArguments),
    /// Print a scenario that ships
    Show(show::ShowArguments),
    /// The timelines of a result that was saved
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

/// Runs the command.
pub(crate) fn main(arguments: Arguments) -> ExitCode {
    let color = match arguments.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    color.write_global();
    let result = give_up_rights(&arguments.command).and_then(|()| match arguments.command {
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

/// Says why no command can run.
pub(crate) fn refused(error: &LimitError) -> ExitCode {
    complain(&error.to_string());
    ExitCode::from(Exit::Environment as u8)
}

/// Before any file is opened: under sudo, each is opened with the rights of the user who called it.
/// Whether `run` needs what root may is for `run` to find out.
fn give_up_rights(command: &Command) -> anyhow::Result<()> {
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

/// Output that nobody reads any more (`harness list | head -1`) is no reason to stop, nor to change
/// the exit status.
fn unless_unread(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Writes an error message.
fn complain(message: &str) {
    tell(&fitted(&format!("error: {}", printable(message))));
}

/// Writes what a person should know.
fn note(message: &str) {
    tell(&fitted(&format!("note: {}", printable(message))));
}

/// Writes to standard error; where even that cannot be written, the exit status still tells.
fn tell(text: &str) {
    writeln!(anstream::stderr(), "{text}").ok();
}

/// The text in lines that are as wide as standard error.
fn fitted(text: &str) -> String {
    fit(text, width_of(io::stderr()))
}

/// How long a line may be: as wide as the terminal, and of any length elsewhere. A terminal may
/// know its columns without its rows.
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
