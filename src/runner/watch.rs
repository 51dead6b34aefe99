//! Waiting for one end's outcome.

use std::future::pending;
use std::time::Duration;

use futures::future::join_all;

use super::host_recorder::HostRecorder;
use crate::clock::sleep_until;
use crate::endpoint::Endpoint;
use crate::model::{ALLOWANCE, Expectation, Moment};
use crate::prepare::Window;
use crate::stall::{StallWatch, stalled};

/// What decides how long an end is watched.
#[derive(Debug)]
pub(super) struct Times {
    /// Zero of the case.
    pub(super) zero: Moment,
    /// When the network does not change any more.
    pub(super) settled: Moment,
    /// The end's window, where an error is expected.
    pub(super) window: Option<Window>,
}

/// The end of a watch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Over {
    /// What comes later is not judged.
    pub(super) until: Moment,
    /// When the watch was to end: a busy machine may end it later.
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

/// Waits until every connection of this end has ended, or the time is over. `unaccepted`: it has
/// connections that no program has, and that cannot end for one.
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
                // However late it is, the error did not come in time.
                () = until_late(origin, window.latest, settled, stalls) => Over::now(),
            }
        }
        // Prepared cases have a window for every error.
        (None, None) => Over::now(),
    }
}

/// How many windows a peer that is heard again and again is watched for. One that retransmits what
/// it never gets acknowledged is heard at intervals that double, so it is silent for a whole window
/// before four of them are over.
const WINDOWS: u32 = 10;

/// Waits until an error is certainly too late: too late is a different finding from never. Where
/// the time counts from the last sign of life of the peer, each of them begins it anew; but a peer
/// that lives is heard for ever. `settled`: when nothing changes any more.
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
