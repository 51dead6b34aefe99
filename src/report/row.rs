//! The table row of one end of a case: the expected outcome, the observed outcome, and the times.

use std::time::Duration;

use crate::judge;
use crate::model::{End, Expectation, ExpectedOutcome};
use crate::outcome::{
    CaseResult, ConnectionObservation, Cut, EndObservation, Mismatch, Observation, Verdict,
};
use crate::prepare::{Prepared, Window, WindowOrigin};
use crate::text::{plural, seconds};

/// The cells of a table row, for one end of a case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The name of the case, with the end if both are observed.
    pub(crate) case: String,
    /// The expected outcome: `ETIMEDOUT`, `survives 6s`.
    pub(crate) expected: String,
    /// The observed outcome.
    pub observed: String,
    /// The time from zero time to the outcome.
    pub since_fault: String,
    /// The time from the last activity, from which the oracle's window counts, to the outcome.
    pub(crate) since_activity: String,
    /// The window of the expectation, without the allowance for a slow machine.
    pub(crate) window: String,
    /// Remarks: the textbook's answer, the expected counters, the descriptors, the steps not taken.
    pub(crate) note: String,
}

/// Returns the rows of a case: one for each observed end.
#[must_use]
pub fn rows(result: &CaseResult) -> Vec<Row> {
    let prepared = &result.prepared;
    let several = prepared.observed().count() > 1;
    prepared
        .observed()
        .map(|(end, expectation)| {
            let label = if several {
                format!(" ({end})")
            } else {
                String::new()
            };
            let mut row = Row {
                case: format!("{}{label}", prepared.case.id),
                expected: expected(expectation),
                window: prepared
                    .window(end)
                    .map(|window| window_cell(&window))
                    .unwrap_or_default(),
                ..Row::default()
            };
            if let Some(observation) = &result.observation {
                fill(&mut row, prepared, observation, end, expectation);
            }
            row
        })
        .collect()
}

/// Returns the verdict on one end of a case. An end whose expectations all hold has passed, even if
/// the other end has not.
#[must_use]
pub(crate) fn verdict(verdict: &Verdict, end: End) -> &Verdict {
    static PASSED: Verdict = Verdict::Passed;
    match verdict {
        Verdict::Failed(mismatches) => {
            // A mismatch without an end, such as a failed step, applies to both ends.
            let is_own = |own: Option<End>| own.is_none_or(|own| own == end);
            let mut own = mismatches.iter().map(|mismatch| mismatch.end);
            if own.any(is_own) { verdict } else { &PASSED }
        }
        Verdict::Undecided(undecided) => {
            let is_other = |mismatch: &Mismatch| mismatch.end.is_some_and(|own| own != end);
            let mismatches = &undecided.mismatches;
            let others_alone = !mismatches.is_empty() && mismatches.iter().all(is_other);
            if others_alone { &PASSED } else { verdict }
        }
        Verdict::Passed | Verdict::Skipped(_) | Verdict::Error(_) | Verdict::Stopped(_) => verdict,
    }
}

/// Formats a window. It counts from the activity, like the column before it, unless the file has
/// another origin.
fn window_cell(window: &Window) -> String {
    let span = span(window.earliest, window.latest);
    match window.from {
        WindowOrigin::Fault => format!("{span} from fault"),
        _ => span,
    }
}

/// Returns the expected outcome: `ETIMEDOUT`, `survives 6s`.
#[must_use]
pub fn expected(expectation: &Expectation) -> String {
    match expectation.outcome {
        ExpectedOutcome::Error(errno) => errno.to_string(),
        ExpectedOutcome::EndOfFile => "end of file".to_owned(),
        ExpectedOutcome::Survives(time) => format!("survives {}", seconds(time)),
        ExpectedOutcome::Open(time) => format!("open {}", seconds(time)),
    }
}

fn fill(
    row: &mut Row,
    prepared: &Prepared,
    observation: &Observation,
    end: End,
    expectation: &Expectation,
) {
    let Some(seen) = observation.ends.iter().find(|seen| seen.end == end) else {
        return;
    };
    row.observed = match &observation.cut_short {
        Some(Cut::Step(broken)) => format!("{} failed", broken.what),
        Some(Cut::Timeout(_)) => "still running".to_owned(),
        None => observed(seen),
    };
    let since = |origin| {
        let times = times_from(origin, observation, seen);
        match (times.iter().min(), times.iter().max()) {
            (Some(first), Some(last)) => span(*first, *last),
            _ => String::new(),
        }
    };
    row.since_fault = since(WindowOrigin::Fault);
    row.since_activity = since(activity(prepared, end));
    let mut notes = note(seen, expectation);
    let steps = observation.evidence.steps.iter();
    let left_out = steps.filter(|step| step.not_taken.is_some()).count();
    if left_out > 0 {
        notes.push(format!("{} not taken", plural(left_out, "step")));
    }
    row.note = notes.join("; ");
}

/// Returns the detection time of each connection of an end: from the origin of the end's window
/// until the connection was reported dead.
#[must_use]
pub(crate) fn detection_times(result: &CaseResult, end: End) -> Vec<Duration> {
    let window = result.prepared.window(end);
    let origin = window.map_or(WindowOrigin::Activity, |window| window.from);
    let Some(observation) = &result.observation else {
        return Vec::new();
    };
    let seen = observation.ends.iter().find(|seen| seen.end == end);
    seen.map(|seen| times_from(origin, observation, seen))
        .unwrap_or_default()
}

/// Returns the shortest and the longest detection time in words; empty if there is none.
pub(super) fn detection_span(result: &CaseResult, end: End) -> String {
    let times = detection_times(result, end);
    match (times.iter().min(), times.iter().max()) {
        (Some(first), Some(last)) => span(*first, *last),
        _ => String::new(),
    }
}

pub(super) fn times_from(
    origin: WindowOrigin,
    observation: &Observation,
    seen: &EndObservation,
) -> Vec<Duration> {
    let of_one = |connection: &ConnectionObservation| {
        let (_, at) = connection.ended?;
        judge::time_from(origin, observation.zero, connection, at)
    };
    seen.connections.iter().filter_map(of_one).collect()
}

/// Returns the activity that the oracle's window counts from. A window of the file may count from
/// the fault; that time has its own column.
fn activity(prepared: &Prepared, end: End) -> WindowOrigin {
    match prepared.window(end).map(|window| window.from) {
        None | Some(WindowOrigin::Fault) => WindowOrigin::Activity,
        Some(origin) => origin,
    }
}

/// Returns the observed outcome. With several connections, each outcome has its count.
pub(super) fn observed(seen: &EndObservation) -> String {
    if seen.connections.is_empty() {
        return "no connection".to_owned();
    }
    let mut outcomes: Vec<(String, usize)> = Vec::new();
    for connection in &seen.connections {
        let outcome = match (connection.ended, &connection.further_exchange) {
            (Some((ended, _)), _) => ended.to_string(),
            (None, Some(Ok(()))) => "survives".to_owned(),
            (None, Some(Err(_))) => "open, but dead".to_owned(),
            (None, None) => "still open".to_owned(),
        };
        match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => outcomes.push((outcome, 1)),
        }
    }
    let one = seen.connections.len() == 1;
    let words = outcomes.iter().map(|(outcome, count)| {
        if one {
            outcome.clone()
        } else {
            format!("{outcome} x{count}")
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

fn note(seen: &EndObservation, expectation: &Expectation) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(textbook) = expectation.textbook {
        notes.push(format!("textbook: {textbook}"));
    }
    for (counter, _) in &expectation.counters {
        let Some(rise) = seen.rise(counter) else {
            continue;
        };
        let short = counter.0.rsplit(':').next().unwrap_or(&counter.0);
        notes.push(format!("{short} +{rise}"));
    }
    if let Some(counted) = seen.descriptors {
        notes.push(format!(
            "descriptors {} > {} > {}",
            counted.before, counted.open, counted.after
        ));
    }
    notes
}

pub(super) fn span(first: Duration, last: Duration) -> String {
    if first == last {
        seconds(first)
    } else {
        format!("{}..{}", seconds(first), seconds(last))
    }
}
