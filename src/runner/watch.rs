//! Waiting for one end's outcome.

use std::time::Duration;

use futures::future::join_all;

use super::side::Side;
use crate::clock::{Moment, sleep_until};
use crate::prepare::{ALLOWANCE, Window};
use crate::scenario::model::Expectation;
use crate::stall::{StallWatch, stalled};

/// Waits until every connection of this end has ended, or the time is over.
pub(super) async fn end(
    side: &Side,
    expectation: &Expectation,
    window: Option<Window>,
    zero: Moment,
    stalls: &StallWatch,
) {
    let all_ended = join_all(side.endpoints.iter().map(|endpoint| endpoint.end()));
    match (expectation.outcome.lasts(), window) {
        (Some(time), _) => {
            tokio::select! {
                _ = all_ended => {}
                () = sleep_until(zero + time) => {}
            }
        }
        (None, Some(window)) => {
            let origin = || side.origin(window.from, zero);
            tokio::select! {
                _ = all_ended => {}
                () = until_late(origin, window.latest, stalls) => {}
            }
        }
        // Prepared cases have a window for every error.
        (None, None) => {}
    }
}

/// Waits until an error is certainly too late: too late is a different finding from never. Where the peer is heard meanwhile and the time
/// counts from then, it begins anew, once: a peer that lives is heard for ever.
async fn until_late(origin: impl Fn() -> Moment, latest: Duration, stalls: &StallWatch) {
    let grace = ALLOWANCE + (latest / 4).max(Duration::from_secs(1));
    // A window may have been over before the watch began.
    let begun = Moment::now();
    for _ in 0..2 {
        let origin = origin();
        let deadline = (origin + latest).max(begun) + grace;
        sleep_until(deadline).await;
        let now = Moment::now();
        sleep_until(deadline + stalled(&stalls.between(origin, now), origin, now)).await;
    }
}
