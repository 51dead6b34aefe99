//! Disturbances: delays and losses caused by the machine, not by the case.
//!
//! A mismatch is a failure only if the case ran without disturbance: every step, every look at a
//! socket, every read and every end of a watch was within its allowance, the machine did not stall,
//! and the machine lost no frame. Otherwise there is no verdict, because the same case without
//! disturbance may meet its expectations. In virtual time nothing is late.

use std::time::Duration;

use crate::model::{ALLOWANCE, Moment, ROUND_TRIP, STEP_TIME};
use crate::outcome::{EndObservation, Observation};
use crate::prepare::Prepared;
use crate::stall::stalled;
use crate::text::{plural, seconds};

/// Describes every delay and loss with its figure. The list is empty if the case ran without
/// disturbance.
pub(super) fn disturbances(prepared: &Prepared, observation: &Observation) -> Vec<String> {
    let steps = observation.evidence.delays().map(|(step, delay)| {
        let (what, line, allowed) = (&step.what, step.line, seconds(STEP_TIME));
        format!("{what} (line {line}) {delay}; at most {allowed} is allowed")
    });
    steps
        .chain(machine(observation))
        .chain(round_trips(prepared, observation))
        .chain((observation.ends.iter()).flat_map(|end| at_end(end, observation.zero)))
        .collect()
}

/// The gap in the recording of an end, if the file has an expectation of captured frames there. The
/// missing frames may contradict the expectation, even if all recorded frames meet it.
pub(super) fn unseen(prepared: &Prepared, observation: &Observation) -> Option<String> {
    observation.ends.iter().find_map(|end| {
        let expectation = prepared.case.expect.end(end.end)?;
        let lost = recording(end)?;
        let asked = expectation.asks_for_frames();
        asked.then(|| format!("{lost}; the expectations of the file need every frame"))
    })
}

/// The disturbances that affect the whole machine: stalls, dropped frames and full neighbour
/// tables.
fn machine(observation: &Observation) -> impl Iterator<Item = String> {
    let until = observation.ends.iter().map(|end| end.watched_until).max();
    let stood = until.map(|until| stalled(&observation.stalls, observation.zero, until));
    let stood = stood.filter(|stood| *stood > ALLOWANCE);
    let allowed = seconds(ALLOWANCE);
    let stood = stood.map(|stood| {
        let stood = seconds(stood);
        format!("the machine stood still for {stood} in all; at most {allowed} is allowed")
    });
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let dropped = (observation.backlog_drops > 0).then(|| {
        let frames = plural(count(observation.backlog_drops), "frame");
        format!("the machine dropped {frames} at its own input queue")
    });
    let refused = (observation.neighbours_refused > 0).then(|| {
        let times = plural(count(observation.neighbours_refused), "time");
        format!(
            "the machine's neighbour table was full {times} (raise net.ipv4.neigh.default.gc_thresh3 and net.ipv6.neigh.default.gc_thresh3)"
        )
    });
    [stood, dropped, refused].into_iter().flatten()
}

/// Describes the longest round-trip time that a kernel measured before the fault, if it is too
/// long.
///
/// The retransmission timeout of the kernel depends on the measured round-trip time
/// (`tcp_rtt_estimator`), and a busy machine can lengthen it: a segment that arrives while the
/// program is in a system call on the socket waits for the end of the call (`tcp_add_backlog`).
/// `None` if a step opens the connections, because an earlier step may have made the network slow.
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
        format!("the kernel of the {end} measured a round-trip time of {longest}; at most {allowed} is allowed")
    })
}

fn at_end(end: &EndObservation, zero: Moment) -> impl Iterator<Item = String> {
    let (name, allowed) = (end.end, seconds(ALLOWANCE));
    let late = |time: Option<Duration>, what: &str| {
        let time = seconds(time.filter(|time| *time > ALLOWANCE)?);
        Some(format!(
            "{what} the {name} came {time} late; at most {allowed} is allowed"
        ))
    };
    let reads = end.connections.iter();
    let read = reads.filter_map(|connection| connection.read_delay());
    // Looks before the fault are not judged.
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

/// Describes the gap in the recording of an end, if it is incomplete.
fn recording(end: &EndObservation) -> Option<String> {
    let name = end.end;
    let recording = &end.recording;
    if let Some(why) = &recording.broken_off {
        return Some(format!("the recording at the {name} is incomplete: {why}"));
    }
    (recording.frames_lost > 0).then(|| {
        let frames = plural(recording.frames_lost as usize, "frame");
        format!(
            "{frames} at the {name} were not recorded, because the packet socket's buffer was full (raise net.core.rmem_max, or run as \
             root: root may exceed that limit)"
        )
    })
}
