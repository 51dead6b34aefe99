//! What is said in comments: of the case, and of single frames what Wireshark cannot know.

use super::Origin;
use crate::evidence::StepTaken;
use crate::model::{CLIENT_PORT, End};
use crate::outcome::{CaseResult, Observation, Verdict};
use crate::report::captured::{CapturedPacket, Told};
use crate::report::{row, table, words};
use crate::step::StepKind;
use crate::wire::Meaning;

/// What the case is, what became of it, and its steps, most of which are no packets.
pub(super) fn of_case(result: &CaseResult, observation: &Observation, origin: Origin) -> String {
    let mut lines = vec![
        format!("{}: {}", result.prepared.case.id, origin.summary),
        format!("kernel: {}", origin.kernel),
    ];
    if !result.phase.is_zero() {
        let phase = result.phase;
        lines.push(format!("it waited {phase:?} before it began"));
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

/// The comments of each frame, in the order in which they are to be read.
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
        if is_telling(&captured.told) {
            comments.push(captured.purpose(&result.prepared));
        }
        if captured.frame.unheard {
            comments.push(format!(
                "the {} was silent and did not hear it",
                captured.end
            ));
        }
    }
    for (place, text) in ends(observation, seen) {
        comments[place].push(text);
    }
    comments
}

/// What Wireshark does not know, or knows without the number or the reason.
fn is_telling(told: &Told) -> bool {
    match told {
        Told::Segment { meaning, .. } => match meaning {
            Meaning::Resets | Meaning::Retransmission | Meaning::Probe(..) | Meaning::Answer => {
                true
            }
            Meaning::Opens | Meaning::Closes | Meaning::Data | Meaning::Acknowledges => false,
        },
        Told::Error { .. } | Told::Icmp(_) => true,
        Told::Neighbour(_) | Told::Other => false,
    }
}

/// What was broken and mended, at each host's first frame from then on. Traffic is frames of its
/// own.
fn steps(observation: &Observation, seen: &[CapturedPacket]) -> Vec<(usize, String)> {
    let of_network = |step: &&StepTaken| step.kind != StepKind::Traffic;
    let mut marks = Vec::new();
    for step in observation.evidence.steps.iter().filter(of_network) {
        let time = words::time(step.from, observation.zero);
        let text = format!("before this, at {time} s: {}", words::step(step));
        for end in [End::Client, End::Server] {
            let follows = |seen: &CapturedPacket| seen.end == end && seen.frame.at >= step.from;
            let place = seen.iter().position(follows);
            marks.extend(place.map(|place| (place, text.clone())));
        }
    }
    marks
}

/// What the applications were told, at the last frame before it that has to do with the connection.
fn ends(observation: &Observation, seen: &[CapturedPacket]) -> Vec<(usize, String)> {
    let mut marks = Vec::new();
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
            marks.extend(place.map(|place| (place, text)));
        }
    }
    marks
}
