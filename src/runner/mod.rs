//! Drives cases over labs, many at once, and tells what happens as events.
//!
//! Each case is one task; a semaphore limits how many are under way. The two variants of a case in
//! a network that carries both families are one task, because they share a lab. A lab that cannot
//! be built, or a case that panics, is an error of that case alone.

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
use one::One;

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// At most so many cases at once, the variants of one counting as one; `None`: all on this
    /// kernel, as many as there are processors in guests.
    pub jobs: Option<NonZeroUsize>,
    /// No case may take longer, by the clock on the wall.
    pub timeout: Option<Duration>,
    /// Whether slow cases run on a kernel in real time.
    pub slow: bool,
    /// Stop at the first case that does not pass.
    pub fail_fast: bool,
    /// Whether the evidence of what passed is wanted too: some 0.15 MB a case.
    pub all_evidence: bool,
    /// Where the cases run.
    pub place: Place,
}

/// Where cases run.
#[derive(Debug, Clone)]
pub enum Place {
    /// On the kernel that the harness runs on.
    Here,
    /// Each in a guest of its own.
    Guest(Arc<GuestMachine>),
}

impl Place {
    /// Why a case cannot run here, if it cannot.
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
            Clock::Virtual => Some("it takes too long but for virtual time: run it with --warp"),
        }
    }

    /// How many cases it is sensible to run at once: those here wait for timers, a guest keeps a
    /// processor busy.
    fn budget(&self) -> usize {
        match self {
            Self::Here => Semaphore::MAX_PERMITS,
            Self::Guest(_) => available_parallelism().map_or(1, NonZeroUsize::get),
        }
    }

    /// How many cases run at once where so many are asked for, or any number.
    #[must_use]
    pub fn at_once(&self, jobs: Option<NonZeroUsize>) -> usize {
        jobs.map_or(self.budget(), NonZeroUsize::get)
            .min(Semaphore::MAX_PERMITS)
    }
}

/// One case of a run.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The case.
    pub prepared: Arc<Prepared>,
    /// How long its guest waits before it begins; without effect on this kernel, whose jiffies
    /// have any phase.
    pub phase: Duration,
}

/// Runs every case and returns the results in the order of the cases. Cancel by dropping the
/// future: what is finished has been sent as an event by then.
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
        let one = One {
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
            for (position, entry) in positions.iter().zip(&one.entries) {
                tell(
                    &events,
                    Event::Started(*position, Arc::clone(&entry.prepared)),
                );
            }
            (positions, one.results().await)
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

/// Why a case was not brought to its end where the run was to stop at the first that does not pass.
pub const AFTER_FAILURE: &str = "stopped after another case failed";

/// A case that was not brought to its end.
#[must_use]
pub fn stopped(entry: &Entry, why: &'static str) -> CaseResult {
    CaseResult {
        prepared: Arc::clone(&entry.prepared),
        phase: entry.phase,
        verdict: Verdict::Stopped(why.to_owned()),
        observation: None,
        elapsed: Duration::ZERO,
        guest_time: None,
    }
}

/// Nobody listens any more only when the run itself is being given up.
fn tell(events: &mpsc::UnboundedSender<Event>, event: Event) {
    events.send(event).ok();
}
