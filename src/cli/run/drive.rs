//! Runs the cases and shows what happens, until all are done or a signal comes.

use std::time::Instant;

use deadpeer::outcome::{CaseResult, Event};
use deadpeer::record::Labels;
use deadpeer::report::progress::Progress;
use deadpeer::runner::{self, Entry, Options};
use tokio::sync::mpsc;

use super::RunArguments;
use super::kernels::Kernel;
use crate::cli::signals::Signals;
use crate::cli::unless_unread;

/// Why a case was not brought to its end where a signal came.
pub(super) const INTERRUPTED: &str = "interrupted";

/// What is known at the end, in the order of the cases.
pub(super) struct Finished {
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
                unless_unread(progress.show(&mut out, &event))?;
                note(&mut known, event);
            }
            results = &mut running => break Some(results),
            _ = beats.tick() => {
                unless_unread(progress.tick(&mut out, Instant::now()))?;
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        unless_unread(progress.show(&mut out, &event))?;
        note(&mut known, event);
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

fn note(known: &mut [Option<CaseResult>], event: Event) {
    if let Event::Finished(position, result) = event {
        known[position] = Some(*result);
    }
}

/// What is known so far, with the rest marked.
fn with_stopped(entries: &[Entry], known: Vec<Option<CaseResult>>) -> Vec<CaseResult> {
    let of = |(entry, known): (&Entry, Option<CaseResult>)| {
        known.unwrap_or_else(|| runner::stopped(entry, INTERRUPTED))
    };
    entries.iter().zip(known).map(of).collect()
}
