//! Waits for the outcome of one end.

use std::future::pending;
use std::time::Duration;

use futures::future::join_all;

use super::host_recorder::HostRecorder;
use crate::clock::sleep_until;
use crate::endpoint::Endpoint;
use crate::model::{ALLOWANCE, Expectation, Moment};
use crate::prepare::Window;
use crate::stall::{StallWatch, stalled};

/// The times that determine how long an end is watched.
#[derive(Debug)]
pub(super) struct Times {
    /// Zero of the case.
    pub(super) zero: Moment,
    /// When the network stops changing without a step.
    pub(super) settled: Moment,
    /// The window of the end, if an error is expected.
    pub(super) window: Option<Window>,
}

/// The end of a watch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Over {
    /// The end of the judged time. Later events are not judged.
    pub(super) until: Moment,
    /// When the watch was due to end: on a busy machine it may end later.
    pub(super) due: Moment,
}

impl Over {
    /// A watch that ends now.
    pub(super) fn now() -> Self {
        let now = Moment::now();
        Self {
            until: now,
            due: now,
        }
    }
}

/// Waits until every connection of this end has ended, or until the time is over. `unaccepted`:
/// whether the end has connections that its program has not accepted, and whose end the program
/// cannot see; then only the time ends the watch.
pub(super) async fn end(
    side: &HostRecorder,
    expectation: &Expectation,
    times: Times,
    unaccepted: bool,
    stalls: &StallWatch,
) -> Over {
    let begun = Moment::now();
    let Times {
        zero,
        settled,
        window,
    } = times;
    let all_ended = async {
        join_all(side.endpoints.iter().map(Endpoint::end)).await;
        if unaccepted {
            pending().await
        }
    };
    let last_end = || {
        let ends = side.endpoints.iter().filter_map(Endpoint::over_since);
        ends.max().unwrap_or(begun).max(begun)
    };
    match (expectation.outcome.lasts(), window) {
        (Some(time), _) => {
            let until = (zero + time).max(begun);
            let due = tokio::select! {
                biased;
                () = sleep_until(until) => until,
                () = all_ended => last_end().min(until),
            };
            let until = Moment::now().min(until);
            Over { until, due }
        }
        (None, Some(window)) => {
            let origin = || side.origin(window.from, zero);
            tokio::select! {
                () = all_ended => Over { due: last_end(), ..Over::now() },
                // No error occurred in time, even if the watch itself ends late.
                () = until_late(origin, window.latest, settled, stalls) => Over::now(),
            }
        }
        // Not reached: a prepared case has a window for every expected error.
        (None, None) => Over::now(),
    }
}

/// The maximum number of windows for which an end is watched while segments of its peer keep
/// arriving. A peer that retransmits unacknowledged data does so at intervals that double, so it is
/// silent for a whole window before four windows are over.
const WINDOWS: u32 = 10;

/// Waits until an error is certainly too late. The watch extends beyond the window because a late
/// error is reported differently from no error. If the window counts from the last segment of the
/// peer, each segment restarts the window; [`WINDOWS`] limits this, because segments of a live peer
/// arrive forever. `settled`: when the network stops changing without a step.
async fn until_late(
    origin: impl Fn() -> Moment,
    latest: Duration,
    settled: Moment,
    stalls: &StallWatch,
) {
    let grace = ALLOWANCE + (latest / 4).max(Duration::from_secs(1));
    // A window may have been over before the watch began.
    let begun = Moment::now();
    let last = settled.max(begun) + latest * WINDOWS;
    loop {
        let origin = origin();
        let deadline = (origin + latest).max(begun).min(last) + grace;
        let now = Moment::now();
        let deadline = deadline + stalled(&stalls.between(origin, now), origin, now);
        if now >= deadline {
            return;
        }
        sleep_until(deadline).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// The allowance and the least grace.
    const GRACE: Duration = Duration::from_millis(1050);

    #[tokio::test]
    async fn the_deadline_moves_with_each_sign_of_life() {
        let begun = Moment::now();
        let sign = begun + millis(500);
        let origin = || {
            if Moment::now() < sign { begun } else { sign }
        };
        until_late(origin, millis(200), begun, &StallWatch::default()).await;
        assert!(Moment::now().since(sign) >= millis(200) + GRACE);
    }

    #[tokio::test]
    async fn a_peer_that_is_heard_for_ever_is_watched_for_ten_windows() {
        let begun = Moment::now();
        until_late(Moment::now, millis(20), begun, &StallWatch::default()).await;
        assert!(Moment::now().since(begun) >= millis(200) + GRACE);
    }
}
