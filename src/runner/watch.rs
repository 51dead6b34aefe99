//! Waiting for one end's outcome.

use std::time::Duration;

use futures::future::join_all;

use super::side::Side;
use crate::clock::{Moment, sleep_until};
use crate::prepare::{ALLOWANCE, Window};
use crate::scenario::model::{Expectation, ExpectedOutcome};

/// How a watch went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched {
    /// By how much the harness was late at its own timer, set for the end of the window. A machine that stalls delays the kernel's
    /// softirq and this timer alike, so this much lateness is the machine's.
    pub(super) stall: Duration,
    /// When the watch was over.
    pub(super) until: Moment,
}

/// Waits until every connection of this end has ended, or the time is over.
pub(super) async fn end(
    side: &Side,
    expectation: &Expectation,
    window: Option<Window>,
    zero: Moment,
) -> Watched {
    let all_ended = join_all(side.endpoints.iter().map(|endpoint| endpoint.end()));
    tokio::pin!(all_ended);
    let begun = Moment::now();
    let deadline = match (expectation.outcome, &window) {
        (ExpectedOutcome::Survives(time), _) => zero + time,
        (ExpectedOutcome::Error(_), Some(window)) => side.origin(window.from, zero) + window.latest,
        // Prepared cases have a window for every error.
        (ExpectedOutcome::Error(_), None) => begun,
    };
    let ended = tokio::time::timeout(deadline.remaining(), &mut all_ended).await;
    // Also where everything has ended: had the harness been awake at the deadline, the timer would have come first.
    let stall = stall(begun, deadline, Moment::now());
    if let (Err(_), ExpectedOutcome::Error(_), Some(window)) = (ended, expectation.outcome, window)
    {
        // Too late is a different finding from never.
        let late = Moment::now().max(begun + window.latest) + ALLOWANCE + grace(window.latest);
        tokio::select! {
            _ = &mut all_ended => {}
            () = sleep_until(late) => {}
        }
    }
    Watched {
        stall,
        until: Moment::now(),
    }
}

/// How much longer to wait for an error that is late.
fn grace(latest: Duration) -> Duration {
    (latest / 4).max(Duration::from_secs(1))
}

/// By how much the harness is late at a timer for the deadline. The last connection may have ended within the same stall, which is
/// then what its error is late by. A deadline that was over when the watch began had no timer.
fn stall(begun: Moment, deadline: Moment, now: Moment) -> Duration {
    now.since(deadline.max(begun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_beyond_its_own_timer_is_a_stall() {
        let at = Moment::from_nanos;
        assert_eq!(stall(at(10), at(50), at(40)), Duration::ZERO);
        assert_eq!(stall(at(10), at(50), at(57)), Duration::from_nanos(7));
        assert_eq!(stall(at(90), at(50), at(92)), Duration::from_nanos(2));
    }
}
