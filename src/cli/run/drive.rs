//! Runs the cases and shows the progress, until all are done or a signal arrives.

use std::time::Instant;

use crate::outcome::{CaseResult, Event};
use crate::record::Labels;
use crate::report::progress::Progress;
use crate::runner::{self, Entry, Options};
use tokio::sync::mpsc;

use super::RunArguments;
use super::kernels::Kernel;
use crate::cli::ignore_broken_pipe;
use crate::cli::signals::Signals;

/// The reason for stopped cases if a signal arrived.
pub(super) const INTERRUPTED: &str = "interrupted";

/// The outcome of a run on one kernel.
pub(super) struct Finished {
    /// In the order of the cases. A case that did not finish has the verdict `Stopped`.
    pub(super) results: Vec<CaseResult>,
    pub(super) interrupted: bool,
}

pub(super) async fn drive(
    arguments: &RunArguments,
    kernel: &Kernel,
    entries: &[Entry],
    labels: Labels,
    signals: &mut Signals,
) -> anyhow::Result<Finished> {
    let options = Options {
        jobs: arguments.jobs,
        timeout: arguments.timeout,
        slow: arguments.slow,
        fail_fast: arguments.fail_fast,
        all_evidence: arguments.wants_all_evidence(kernel.is_virtual()),
        place: kernel.place(),
    };
    let (sender, mut events) = mpsc::unbounded_channel();
    let mut out = arguments.out();
    let mut progress = Progress::new(
        arguments.form(),
        entries.len(),
        kernel.is_virtual(),
        labels,
        arguments.width(),
    );
    let mut known: Vec<Option<CaseResult>> = entries.iter().map(|_| None).collect();
    let mut beats = tokio::time::interval(progress.beat());
    let running = runner::run(entries.to_vec(), options, sender);
    tokio::pin!(running);
    let results = loop {
        tokio::select! {
            biased;
            () = signals.next() => break None,
            Some(event) = events.recv() => {
                ignore_broken_pipe(progress.show(&mut out, &event))?;
                store(&mut known, event);
            }
            results = &mut running => break Some(results),
            _ = beats.tick() => {
                ignore_broken_pipe(progress.tick(&mut out, Instant::now()))?;
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        ignore_broken_pipe(progress.show(&mut out, &event))?;
        store(&mut known, event);
    }
    progress.end();
    Ok(match results {
        Some(results) => Finished {
            results,
            interrupted: false,
        },
        None => Finished {
            results: with_stopped(entries, known),
            interrupted: true,
        },
    })
}

fn store(known: &mut [Option<CaseResult>], event: Event) {
    if let Event::Finished(position, result) = event {
        known[position] = Some(*result);
    }
}

/// Returns the known results; every other case is marked as stopped.
fn with_stopped(entries: &[Entry], known: Vec<Option<CaseResult>>) -> Vec<CaseResult> {
    let of = |(entry, known): (&Entry, Option<CaseResult>)| {
        known.unwrap_or_else(|| runner::stopped(entry, INTERRUPTED))
    };
    entries.iter().zip(known).map(of).collect()
}
