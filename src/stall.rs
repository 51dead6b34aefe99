//! Stalls: intervals in which the machine stood still. A hypervisor that takes the processor away
//! delays the kernel's timers and the harness alike, so such a delay is not a property of the
//! kernel's timers.
//!
//! One thread on each processor wakes up (beats) at a fixed period and notes every late beat. A
//! timer that is due or restarted during a stall may be late by the length of the stall. A timer
//! that is late without a stall is not excused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::unistd::Pid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Moment;
use crate::processors::{processors, restrict};

/// The period of the beats.
const PERIOD: Duration = Duration::from_millis(20);
/// The minimum delay of a beat that counts as a stall. The scheduler of a busy machine may delay a
/// wake-up by less.
const LATE: Duration = Duration::from_millis(10);

/// An interval in which the machine stood still for at least a part. A timer that was due within it
/// may have been late by the rest of the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Stall {
    /// The time of the last punctual beat.
    pub(crate) from: Moment,
    /// The time of the late beat.
    pub(crate) until: Moment,
}

/// The part of the time between two moments that these stalls cover. The stalls may overlap.
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

/// Watches for stalls until it is dropped. Clones share one list of stalls.
#[derive(Debug, Clone, Default)]
pub(crate) struct StallWatch {
    seen: Arc<Mutex<Vec<Stall>>>,
    /// `None` if no thread beats: in virtual time the machine cannot stall.
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
            // If a thread cannot be started, the threads on the other processors suffice.
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

    /// The stalls that overlap the time between two moments.
    #[must_use]
    pub(crate) fn between(&self, from: Moment, until: Moment) -> Vec<Stall> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let within = |stall: &&Stall| stall.until > from && stall.from < until;
        seen.iter().filter(within).copied().collect()
    }
}

fn beat(processor: usize, stop: &AtomicBool, seen: &Mutex<Vec<Stall>>) {
    // If the thread cannot be restricted to the processor, it beats on any processor.
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
