//! A predicted window as a file counts it: from zero time, the beginning of the first fault, or the
//! end of the last step.

use super::Ticks;
use super::interval::Interval;
use super::prediction::{Origin, PredictedWindow};
use super::timeline::timeline;
use crate::model::{End, Hz};
use crate::scenario::Case;

/// The window of an end's error from zero time on, whichever tick the kernel has. It is wider than
/// the window itself, by as much as is not known of the time between its origin and the fault;
/// `None` where nothing is known.
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
    // How long after one of the other family its own comes is not known.
    if first.is_some_and(|step| !step.applies_to(case.family)) {
        return None;
    }
    // The first fault begins the first outage; how long after it a second one begins is not known.
    let [outage] = timeline.outages.as_slice() else {
        return None;
    };
    let predicted = Interval::new(window.earliest, window.latest);
    // No step takes the path away where a firewall forgets the flow: zero time is the end of the
    // last one.
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
