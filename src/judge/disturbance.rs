//! What kept a case from running on time.
//!
//! A mismatch is a failure only where nothing did: every step, every look, every read and every end
//! of a watch came within its allowance, the machine did not stand still, and no frame was lost to
//! it. Otherwise there is no verdict, because a case that runs on time may come out as expected. In
//! virtual time nothing is late.

use std::time::Duration;

use crate::model::{ALLOWANCE, Moment, ROUND_TRIP, STEP_TIME};
use crate::outcome::{EndObservation, Observation};
use crate::prepare::Prepared;
use crate::stall::stalled;
use crate::text::{plural, seconds};

/// Everything that came late or was lost, each with its figure; empty where the case ran on time.
pub(super) fn disturbances(prepared: &Prepared, observation: &Observation) -> Vec<String> {
    let steps = observation.evidence.delays().map(|(step, delay)| {
        let (what, line, allowed) = (&step.what, step.line, seconds(STEP_TIME));
        format!("{what} (line {line}) {delay}; {allowed} is allowed for")
    });
    steps
        .chain(machine(observation))
        .chain(round_trips(prepared, observation))
        .chain((observation.ends.iter()).flat_map(|end| at_end(end, observation.zero)))
        .collect()
}

/// What may be missing, although everything that was recorded came as expected: the file asks for
/// it.
pub(super) fn unseen(prepared: &Prepared, observation: &Observation) -> Option<String> {
    observation.ends.iter().find_map(|end| {
        let expectation = prepared.case.expect.end(end.end)?;
        let lost = recording(end)?;
        let asked = expectation.asks_for_frames();
        asked.then(|| format!("{lost}; the file asks what was on the wire"))
    })
}

/// What the machine did to all that ran on it.
fn machine(observation: &Observation) -> impl Iterator<Item = String> {
    let until = observation.ends.iter().map(|end| end.watched_until).max();
    let stood = until.map(|until| stalled(&observation.stalls, observation.zero, until));
    let stood = stood.filter(|stood| *stood > ALLOWANCE);
    let allowed = seconds(ALLOWANCE);
    let stood = stood.map(|stood| {
        let stood = seconds(stood);
        format!("the machine stood still for {stood} in all; {allowed} is allowed for")
    });
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let dropped = (observation.backlog_drops > 0).then(|| {
        let frames = plural(count(observation.backlog_drops), "frame");
        format!("the machine dropped {frames} at its own input queue")
    });
    let refused = (observation.neighbours_refused > 0).then(|| {
        let times = plural(count(observation.neighbours_refused), "time");
        format!(
            "the machine's neighbour table was full {times} (raise net.ipv4.neigh.default.gc_thresh3 and its IPv6 namesake)"
        )
    });
    [stood, dropped, refused].into_iter().flatten()
}

/// The kernel's retransmission timeouts contain the round trip that it has measured
/// (`tcp_rtt_estimator`), and a machine can make that long: a segment that arrives while the program
/// is in a system call on the socket waits for the call's end (`tcp_add_backlog`). Where a step opens
/// the connections, an earlier step may have made the network slow, and nothing is said.
fn round_trips(prepared: &Prepared, observation: &Observation) -> Option<String> {
    if prepared.case.steps.iter().any(|step| step.action.opens()) {
        return None;
    }
    let before = observation.evidence.sockets.iter();
    let before = before.take_while(|sample| sample.at <= observation.zero);
    let measured = before.filter_map(|sample| {
        let info = sample.state.as_ref()?.info.as_ref()?;
        Some((Duration::from_micros(info.rtt.into()), sample.end))
    });
    let (longest, end) = measured.max()?;
    (longest > ROUND_TRIP).then(|| {
        let (longest, allowed) = (seconds(longest), seconds(ROUND_TRIP));
        format!("the round trip that the kernel of the {end} measured was {longest}; {allowed} is allowed for")
    })
}

fn at_end(end: &EndObservation, zero: Moment) -> impl Iterator<Item = String> {
    let (name, allowed) = (end.end, seconds(ALLOWANCE));
    let late = |time: Option<Duration>, what: &str| {
        let time = seconds(time.filter(|time| *time > ALLOWANCE)?);
        Some(format!(
            "{what} the {name} came {time} late; {allowed} is allowed for"
        ))
    };
    let reads = end.connections.iter();
    let read = reads.filter_map(|connection| connection.read_delay());
    // What was seen before the fault is not judged.
    let looks = end.recording.late_looks.iter();
    let look = looks.filter(|look| look.at >= zero).map(|look| look.by);
    [
        late(read.max(), "the read of the end of the connection at"),
        late(Some(end.look_delay), "the end of the watch of"),
        late(look.max(), "a look at the socket of"),
        recording(end),
    ]
    .into_iter()
    .flatten()
}

/// What may be missing from what was recorded.
fn recording(end: &EndObservation) -> Option<String> {
    let name = end.end;
    let recording = &end.recording;
    if let Some(why) = &recording.broken_off {
        return Some(format!("not all was recorded at the {name}: {why}"));
    }
    (recording.frames_lost > 0).then(|| {
        let frames = plural(recording.frames_lost as usize, "frame");
        format!(
            "{frames} at the {name} were not recorded, because the packet socket's buffer was full (raise net.core.rmem_max, or run as \
             root, which may exceed it)"
        )
    })
}
