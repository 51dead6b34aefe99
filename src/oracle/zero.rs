//! A predicted window relative to zero time: the beginning of the first fault, or the end of the
//! last step.

use super::Ticks;
use super::interval::Interval;
use super::prediction::{Origin, PredictedWindow};
use super::timeline::timeline;
use crate::model::{End, Hz};
use crate::scenario::Case;

/// Returns the window of an end's error from zero time, at any tick rate that the kernel may have.
/// It is wider than `window` by the uncertainty of the time between the window's origin and the
/// fault. `None` if that time is unknown.
#[must_use]
pub(crate) fn from_zero(
    case: &Case,
    end: End,
    window: &PredictedWindow,
    ticks: Ticks,
) -> Option<Interval> {
    let mut spans = ticks
        .each()
        .into_iter()
        .map(|hz| with_tick(case, end, window, hz));
    let first = spans.next()??;
    spans.try_fold(first, |known, other| {
        let other = other?;
        Some(Interval::new(
            known.min.min(other.min),
            known.max.max(other.max),
        ))
    })
}

fn with_tick(case: &Case, end: End, window: &PredictedWindow, hz: Hz) -> Option<Interval> {
    let timeline = timeline(case, end, hz)?;
    let mut faults = case.steps.iter().filter(|step| step.action.is_fault());
    let first = faults.next();
    // If the first fault applies to the other family only, the time from it to the first outage is
    // unknown.
    if first.is_some_and(|step| !step.applies_to(case.family)) {
        return None;
    }
    // The first fault begins the first outage; the time from it to a second outage is unknown.
    let [outage] = timeline.outages.as_slice() else {
        return None;
    };
    let predicted = Interval::new(window.earliest, window.latest);
    // If a firewall removes the flow, no step is a fault: zero time is the end of the last step.
    let without_fault = first.is_none();
    let zero = if without_fault {
        timeline.silence
    } else {
        outage.begins
    };
    match window.since {
        Origin::LastReceived => {
            let peer = case.connection.end(end.peer());
            let may_hear = !outage.blocks(end) && (outage.peer_wrote || peer.keepalive.is_some());
            (!may_hear).then(|| predicted.after(zero))
        }
        Origin::FirstUnacknowledged if without_fault => {
            Some((predicted + outage.written?.at).after(zero))
        }
        Origin::FirstUnacknowledged => Some(predicted + outage.written?.at.after(outage.begins)),
    }
}
