//! `harness run`.

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anstyle::Style;
use deadpeer::outcome::{CaseResult, Event, Verdict};
use deadpeer::prepare::Prepared;
use deadpeer::privilege;
use deadpeer::report::progress::{Form, Progress, closing};
use deadpeer::report::{summary, table};
use deadpeer::runner::{self, Options};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::load::load;
use super::{Exit, complain, unless_unread};

/// What `run` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(super) struct RunArguments {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only the cases whose name contains TEXT; may be given several times
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// At most N cases at once; all by default
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// A case that takes longer fails: 90s, 5m
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// Stop at the first case that does not pass
    #[arg(long)]
    fail_fast: bool,
    /// A skipped case fails the run
    #[arg(long)]
    deny_skips: bool,
    /// Only what did not pass, and the closing line
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// The evidence of every case
    #[arg(short, long)]
    verbose: bool,
}

const AFTER_HELP: &str = "\
Examples:
  harness run scenarios/unreachable.toml
  harness run -v --filter in-flight scenarios/
  harness run -j 4 --timeout 5m scenarios/ my-own.toml

Without root, the harness makes its network namespaces in a user namespace of its own, where the system allows that.";

pub(super) fn run(arguments: &RunArguments) -> anyhow::Result<Exit> {
    let Some(cases) = load(&arguments.paths) else {
        return Ok(Exit::Usage);
    };
    let cases: Vec<Arc<Prepared>> = cases
        .into_iter()
        .filter(|case| arguments.selects(case))
        .map(Arc::new)
        .collect();
    if cases.is_empty() {
        complain(&format!(
            "no case has a name that contains {}",
            arguments.filter.join(" or ")
        ));
        return Ok(Exit::Usage);
    }
    if let Err(refused) = privilege::isolate() {
        complain(&refused.to_string());
        return Ok(Exit::Lab);
    }
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new()?;
    let finished = runtime.block_on(drive(arguments, &cases))?;
    // Labs that were dropped are the kernel's to take back; nothing waits for that.
    runtime.shutdown_background();
    unless_unread(report(arguments, &finished.results, begun.elapsed()))?;
    Ok(if finished.interrupted {
        Exit::Interrupted
    } else {
        exit(arguments, &finished.results)
    })
}

impl RunArguments {
    fn selects(&self, prepared: &Prepared) -> bool {
        let name = &prepared.case.id.0;
        self.filter.is_empty() || self.filter.iter().any(|text| name.contains(text))
    }

    fn form(&self) -> Form {
        match (self.quiet, io::stderr().is_terminal()) {
            (true, _) => Form::Silent,
            (false, true) => Form::Bars,
            (false, false) => Form::Lines,
        }
    }
}

struct Finished {
    results: Vec<CaseResult>,
    interrupted: bool,
}

/// Runs the cases and shows what happens, until all are done or a signal comes.
async fn drive(arguments: &RunArguments, cases: &[Arc<Prepared>]) -> io::Result<Finished> {
    let options = Options {
        jobs: arguments.jobs,
        timeout: arguments.timeout,
        fail_fast: arguments.fail_fast,
    };
    let (sender, mut events) = mpsc::unbounded_channel();
    let mut progress = Progress::new(arguments.form(), cases.len());
    let mut out = anstream::stdout();
    let mut known: Vec<CaseResult> = Vec::new();
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let mut redraw = tokio::time::interval(Duration::from_millis(100));
    let running = runner::run(cases.to_vec(), options, sender);
    tokio::pin!(running);
    let results = loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break None,
            _ = terminate.recv() => break None,
            Some(event) = events.recv() => {
                unless_unread(progress.show(&mut out, &event))?;
                if let Event::Finished(result) = event {
                    known.push(*result);
                }
            }
            results = &mut running => break Some(results),
            _ = redraw.tick(), if progress.moves() => progress.tick(),
        }
    };
    while let Ok(event) = events.try_recv() {
        unless_unread(progress.show(&mut out, &event))?;
        if let Event::Finished(result) = event {
            known.push(*result);
        }
    }
    progress.end();
    Ok(match results {
        Some(results) => Finished {
            results,
            interrupted: false,
        },
        None => Finished {
            results: with_stopped(cases, &known),
            interrupted: true,
        },
    })
}

/// What is known so far, with the rest marked.
fn with_stopped(cases: &[Arc<Prepared>], known: &[CaseResult]) -> Vec<CaseResult> {
    let of = |prepared: &Arc<Prepared>| {
        known
            .iter()
            .find(|result| result.prepared.case.id == prepared.case.id)
            .cloned()
    };
    cases
        .iter()
        .map(|prepared| of(prepared).unwrap_or_else(|| runner::stopped(prepared, "interrupted")))
        .collect()
}

fn report(arguments: &RunArguments, results: &[CaseResult], elapsed: Duration) -> io::Result<()> {
    let mut out = anstream::stdout();
    if !arguments.quiet {
        writeln!(out)?;
        table::write(&mut out, results)?;
    }
    let bold = Style::new().bold();
    for result in results {
        let passed = result.verdict == Verdict::Passed;
        if passed && arguments.verbose {
            writeln!(out, "\n{bold}{}{bold:#}", result.prepared.case.id)?;
            for line in summary::evidence(result) {
                writeln!(out, "  {line}")?;
            }
        } else if !passed && !matches!(result.verdict, Verdict::Stopped(_)) {
            let (word, style) = table::verdict(&result.verdict);
            write!(out, "\n{style}{word}{style:#} ")?;
            for line in summary::failure(result) {
                writeln!(out, "{line}")?;
            }
        }
    }
    writeln!(out, "\n{}", closing(results, elapsed))
}

/// The highest of the statuses that apply.
fn exit(arguments: &RunArguments, results: &[CaseResult]) -> Exit {
    let of = |result: &CaseResult| match result.verdict {
        Verdict::Passed | Verdict::Stopped(_) => Exit::Passed,
        Verdict::Skipped(_) if arguments.deny_skips => Exit::Failed,
        Verdict::Skipped(_) => Exit::Passed,
        Verdict::Failed(_) => Exit::Failed,
        Verdict::Error(_) => Exit::Lab,
    };
    results.iter().map(of).max().unwrap_or(Exit::Passed)
}
