//! The comments of a capture: on the case, and on single frames what Wireshark cannot find out.

use super::Origin;
use crate::evidence::StepTaken;
use crate::model::{CLIENT_PORT, End};
use crate::outcome::{CaseResult, Observation, Verdict};
use crate::report::captured::{CapturedPacket, Decoded};
use crate::report::{row, table, words};
use crate::step::StepKind;
use crate::wire::Meaning;

/// Returns the comment on the case: its name, kernel, verdict and steps. Most steps are not visible
/// as packets.
pub(super) fn of_case(result: &CaseResult, observation: &Observation, origin: Origin) -> String {
    let mut lines = vec![
        format!("{}: {}", result.prepared.case.id, origin.summary),
        format!("kernel: {}", origin.kernel),
    ];
    if !result.phase.is_zero() {
        let phase = result.phase;
        lines.push(format!("the guest waited {phase:?} before the case began"));
    }
    let (verdict, _) = table::verdict(&result.verdict);
    lines.push(format!("verdict: {verdict}"));
    for row in row::rows(result) {
        lines.push(format!(
            "{}: expected {}, observed {}",
            row.case, row.expected, row.observed
        ));
    }
    if let Verdict::Failed(mismatches) = &result.verdict {
        for mismatch in mismatches {
            let end = mismatch
                .end
                .map(|end| format!("{end}: "))
                .unwrap_or_default();
            lines.push(format!(
                "{end}expected {} ({}), observed {}",
                mismatch.expected, mismatch.because, mismatch.observed
            ));
        }
    }
    let evidence = &observation.evidence;
    let zero = super::since_1970(evidence, observation.zero);
    lines.push(format!(
        "the times in comments count from frame.time_epoch == {}.{:09}",
        zero.as_secs(),
        zero.subsec_nanos()
    ));
    for step in &evidence.steps {
        lines.push(format!(
            "{} s: {}",
            words::time(step.from, observation.zero),
            words::step(step)
        ));
    }
    lines.join("\n")
}

/// Returns the comments on each frame, in reading order.
pub(super) fn of_frames(
    result: &CaseResult,
    observation: &Observation,
    seen: &[CapturedPacket],
) -> Vec<Vec<String>> {
    let mut comments: Vec<Vec<String>> = seen.iter().map(|_| Vec::new()).collect();
    for (place, text) in steps(observation, seen) {
        comments[place].push(text);
    }
    for (captured, comments) in seen.iter().zip(&mut comments) {
        if let Some(cut) = captured.lost_before {
            comments.push(format!("{cut} frames before this one were not kept"));
        }
        if needs_comment(&captured.decoded) {
            comments.push(captured.purpose(&result.prepared));
        }
        if captured.frame.unheard {
            comments.push(format!("the {} was silent and ignored it", captured.end));
        }
    }
    for (place, text) in ends(observation, seen) {
        comments[place].push(text);
    }
    comments
}

/// Returns whether a comment explains the frame: Wireshark does not recognize it, or shows it
/// without its number or its reason.
fn needs_comment(decoded: &Decoded) -> bool {
    match decoded {
        Decoded::Segment { meaning, .. } => match meaning {
            Meaning::Resets | Meaning::Retransmission | Meaning::Probe(..) | Meaning::Answer => {
                true
            }
            Meaning::Opens | Meaning::Closes | Meaning::Data | Meaning::Acknowledges => false,
        },
        Decoded::Error { .. } | Decoded::Icmp(_) => true,
        Decoded::Neighbour(_) | Decoded::Other => false,
    }
}

/// Returns the faults and repairs, each at every host's first frame after it. Steps of traffic are
/// left out, because their frames show them.
fn steps(observation: &Observation, seen: &[CapturedPacket]) -> Vec<(usize, String)> {
    let of_network = |step: &&StepTaken| step.kind != StepKind::Traffic;
    let mut placed = Vec::new();
    for step in observation.evidence.steps.iter().filter(of_network) {
        let time = words::time(step.from, observation.zero);
        let text = format!("before this, at {time} s: {}", words::step(step));
        for end in [End::Client, End::Server] {
            let follows = |seen: &CapturedPacket| seen.end == end && seen.frame.at >= step.from;
            let place = seen.iter().position(follows);
            placed.extend(place.map(|place| (place, text.clone())));
        }
    }
    placed
}

/// Returns the result of each connection at each end, at the end's last frame of that connection
/// before the result.
fn ends(observation: &Observation, seen: &[CapturedPacket]) -> Vec<(usize, String)> {
    let mut placed = Vec::new();
    for end in &observation.ends {
        for (port, connection) in (CLIENT_PORT..).zip(&end.connections) {
            let Some((ended, at)) = connection.ended else {
                continue;
            };
            let precedes = |seen: &CapturedPacket| {
                seen.end == end.end && seen.connection() == Some(port) && seen.frame.at <= at
            };
            let time = words::time(at, observation.zero);
            let text = format!("after this, at {time} s: {}", words::read(end.end, ended));
            let place = seen.iter().rposition(precedes);
            placed.extend(place.map(|place| (place, text)));
        }
    }
    placed
}
