//! Runs many cases concurrently, each in a lab, and reports their progress as events.
//!
//! Each case is one task; a semaphore limits the number of running tasks. The two variants of a
//! case in a network that carries both families are one task, because they share a lab. If a lab
//! cannot be built, or if a case panics, only that case has the verdict `error`.

mod barrier;
mod baseline;
mod blackout;
mod budget;
mod case;
mod connect;
mod context;
mod descriptors;
mod establish;
mod faulted;
mod grouping;
mod guest;
mod host_recorder;
mod observe;
mod one;
mod orphans;
mod permit;
mod record;
mod requests;
mod running;
mod shared;
mod step;
mod step_log;
mod steps;
mod teardown;
mod traffic;
mod watch;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::endpoint::EndWitness;
use crate::guest::GuestMachine;
use crate::outcome::{CaseResult, Event, Verdict};
use crate::prepare::Prepared;
use crate::scenario::{Case, Clock};
use crate::stall::StallWatch;
use budget::ResourceBudget;
pub use guest::handle;
use one::CaseRun;

/// The options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The maximum number of concurrent cases; the variants of a case count as one. `None`: on this
    /// kernel no limit, in guests the number of processors.
    pub jobs: Option<NonZeroUsize>,
    /// The maximum wall-clock time of a case.
    pub timeout: Option<Duration>,
    /// Whether slow cases run on a kernel in real time.
    pub slow: bool,
    /// Whether the run stops at the first case that does not pass.
    pub fail_fast: bool,
    /// Whether the evidence of passed cases is kept too: about 0.15 MB for each case.
    pub all_evidence: bool,
    /// Where the cases run.
    pub place: Place,
}

/// Where cases run.
#[derive(Debug, Clone)]
pub enum Place {
    /// On the kernel that the harness runs on.
    Here,
    /// In guests, one guest for each case.
    Guest(Arc<GuestMachine>),
}

impl Place {
    /// The reason to skip the case here; `None` if it can run.
    fn lacks(&self, case: &Case, slow: bool) -> Option<&'static str> {
        let is_virtual = match self {
            Self::Here => false,
            Self::Guest(machine) => machine.is_virtual(),
        };
        match case.clock {
            _ if is_virtual => None,
            Clock::Any => None,
            Clock::Slow if slow => None,
            Clock::Slow => Some("it is slow: run it with --slow, or with --warp"),
            Clock::Virtual => Some("it takes too long in real time: run it with --warp"),
        }
    }

    /// The default number of concurrent cases. Cases on this kernel mostly wait for timers, so
    /// there is no limit; a guest keeps one processor busy.
    fn budget(&self) -> usize {
        match self {
            Self::Here => Semaphore::MAX_PERMITS,
            Self::Guest(_) => available_parallelism().map_or(1, NonZeroUsize::get),
        }
    }

    /// The number of concurrent cases for the option `jobs`; the default of the place for `None`.
    #[must_use]
    pub(crate) fn at_once(&self, jobs: Option<NonZeroUsize>) -> usize {
        jobs.map_or(self.budget(), NonZeroUsize::get)
            .min(Semaphore::MAX_PERMITS)
    }
}

/// One case of a run.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The case.
    pub prepared: Arc<Prepared>,
    /// The delay in the guest before the case begins. It shifts the case against the jiffies of the
    /// guest. It has no effect on this kernel, where the phase of the jiffies is arbitrary.
    pub phase: Duration,
}

/// Runs every case and returns the results in the order of `entries`. Dropping the future cancels
/// the run; each result that was complete by then has already been sent as an event.
pub async fn run(
    entries: Vec<Entry>,
    options: Options,
    events: mpsc::UnboundedSender<Event>,
) -> Vec<CaseResult> {
    let permits = Arc::new(Semaphore::new(options.place.at_once(options.jobs)));
    let (stalls, witness) = match options.place {
        Place::Here => (StallWatch::start(), EndWitness::start()),
        Place::Guest(_) => (StallWatch::default(), EndWitness::default()),
    };
    let budget = Arc::new(ResourceBudget::new());
    let mut tasks = JoinSet::new();
    for lab in grouping::labs(&entries) {
        let (positions, variants): (Vec<usize>, Vec<Entry>) = lab.into_iter().unzip();
        let case_run = CaseRun {
            entries: variants,
            options: options.clone(),
            stalls: stalls.clone(),
            witness: witness.clone(),
            budget: Arc::clone(&budget),
        };
        let (permits, events) = (Arc::clone(&permits), events.clone());
        tasks.spawn(async move {
            // The semaphore is never closed.
            let _permit = permits.acquire().await;
            for (position, entry) in positions.iter().zip(&case_run.entries) {
                tell(
                    &events,
                    Event::Started(*position, Arc::clone(&entry.prepared)),
                );
            }
            (positions, case_run.results().await)
        });
    }
    let mut results: Vec<Option<CaseResult>> = entries.iter().map(|_| None).collect();
    while let Some(finished) = tasks.join_next().await {
        let Ok((positions, of_lab)) = finished else {
            continue;
        };
        let mut failed = false;
        for (position, mut result) in positions.into_iter().zip(of_lab) {
            if !options.all_evidence && result.verdict == Verdict::Passed {
                result.forget_evidence();
            }
            failed |= result.verdict.is_bad();
            tell(&events, Event::Finished(position, Box::new(result.clone())));
            results[position] = Some(result);
        }
        if failed && options.fail_fast {
            tasks.abort_all();
        }
    }
    let stopped = |entry: &Entry| stopped(entry, AFTER_FAILURE);
    entries
        .iter()
        .zip(results)
        .map(|(entry, result)| result.unwrap_or_else(|| stopped(entry)))
        .collect()
}

/// The reason in the verdict of a case that was stopped by [`Options::fail_fast`].
pub(crate) const AFTER_FAILURE: &str = "stopped after another case failed";

/// The result of a case that was stopped before its end.
#[must_use]
pub(crate) fn stopped(entry: &Entry, why: &'static str) -> CaseResult {
    CaseResult {
        prepared: Arc::clone(&entry.prepared),
        phase: entry.phase,
        verdict: Verdict::Stopped(why.to_owned()),
        observation: None,
        elapsed: Duration::ZERO,
        guest_time: None,
    }
}

/// Sends an event. The receiver is closed only if the run is being cancelled, so an error is
/// ignored.
fn tell(events: &mpsc::UnboundedSender<Event>, event: Event) {
    events.send(event).ok();
}
