//! Times at which the machine itself stood still: a hypervisor that takes the processor away delays
//! the kernel's timers and the harness alike, so what is lost to it is no finding about the
//! kernel's timers.
//!
//! One thread on each processor beats at a steady pace and notes every beat that comes late. A
//! timer that was due meanwhile, or the restart of one, may be late by as much; a kernel that is
//! late without the machine standing still is not excused by it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::unistd::Pid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Moment;
use crate::processors::{processors, restrict};

/// From beat to beat.
const PERIOD: Duration = Duration::from_millis(20);
/// What the scheduler of a busy machine may take to wake a thread is no stall.
const LATE: Duration = Duration::from_millis(10);

/// A time at which the machine stood still, at least in part: a timer that was due within it may
/// have been late by all that was left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Stall {
    /// The last beat that came in time.
    pub from: Moment,
    /// The beat that was late.
    pub until: Moment,
}

/// How much of the time between two moments is covered by these stalls; they may overlap.
#[must_use]
pub(crate) fn stalled(stalls: &[Stall], from: Moment, until: Moment) -> Duration {
    let mut total = Duration::ZERO;
    let mut covered = from;
    let mut sorted = stalls.to_vec();
    sorted.sort_by_key(|stall| stall.from);
    for stall in sorted {
        let (begin, end) = (stall.from.max(covered), stall.until.min(until));
        total += end.since(begin);
        covered = covered.max(end);
    }
    total
}

/// Watches for stalls for as long as it lives; clones share what is seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct StallWatch {
    seen: Arc<Mutex<Vec<Stall>>>,
    /// None where nothing beats: in virtual time there is no machine to wait for.
    beating: Option<Arc<Beating>>,
}

#[derive(Debug)]
struct Beating(Arc<AtomicBool>);

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl StallWatch {
    /// Starts to beat on every processor that this process may use.
    #[must_use]
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Vec::new()));
        for processor in processors() {
            let (stop, seen) = (Arc::clone(&stop), Arc::clone(&seen));
            // A machine without room for one more thread is watched by the others.
            thread::Builder::new()
                .name("stall-watch".to_owned())
                .spawn(move || beat(processor, &stop, &seen))
                .ok();
        }
        Self {
            seen,
            beating: Some(Arc::new(Beating(stop))),
        }
    }

    /// Waits until a stall that is ending now has been noted.
    pub(crate) async fn settle(&self) {
        if self.beating.is_some() {
            tokio::time::sleep(PERIOD + LATE).await;
        }
    }

    /// The stalls that lie between two moments, at least in part.
    #[must_use]
    pub(crate) fn between(&self, from: Moment, until: Moment) -> Vec<Stall> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let within = |stall: &&Stall| stall.until > from && stall.from < until;
        seen.iter().filter(within).copied().collect()
    }
}

fn beat(processor: usize, stop: &AtomicBool, seen: &Mutex<Vec<Stall>>) {
    // A thread that may not be pinned beats wherever it is.
    restrict(Pid::from_raw(0), processor).ok();
    let mut last = Moment::now();
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(PERIOD);
        let now = Moment::now();
        if now.since(last) > PERIOD + LATE {
            let stall = Stall {
                from: last,
                until: now,
            };
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(stall);
        }
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stall(from: u64, until: u64) -> Stall {
        Stall {
            from: Moment::from_nanos(from),
            until: Moment::from_nanos(until),
        }
    }

    fn total(stalls: &[Stall], from: u64, until: u64) -> u128 {
        stalled(stalls, Moment::from_nanos(from), Moment::from_nanos(until)).as_nanos()
    }

    #[test]
    fn only_what_lies_between_the_moments_counts() {
        let stalls = [stall(10, 30), stall(100, 200)];
        assert_eq!(total(&stalls, 0, 1000), 120);
        assert_eq!(total(&stalls, 20, 150), 60);
        assert_eq!(total(&stalls, 30, 100), 0);
        assert_eq!(total(&[], 0, 1000), 0);
    }

    #[test]
    fn processors_that_stand_still_at_once_count_once() {
        let stalls = [stall(50, 60), stall(10, 30), stall(20, 40), stall(12, 15)];
        assert_eq!(total(&stalls, 0, 1000), 40);
    }

    #[test]
    fn a_watch_that_was_not_started_sees_nothing() {
        let nothing = StallWatch::default();
        assert_eq!(
            nothing.between(Moment::from_nanos(0), Moment::now()),
            Vec::new()
        );
    }
}
