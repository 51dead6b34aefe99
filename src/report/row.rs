//! One end of one case, column by column: what was expected, what came, and when.

use std::time::Duration;

use crate::judge;
use crate::model::{End, Expectation, ExpectedOutcome};
use crate::outcome::{
    CaseResult, ConnectionObservation, Cut, EndObservation, Mismatch, Observation, Verdict,
};
use crate::prepare::{Prepared, Window, WindowOrigin};
use crate::text::{plural, seconds};

/// One end of one case, column by column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The case, and the end where more than one is observed.
    pub case: String,
    /// `ETIMEDOUT`, `survives 6s`.
    pub expected: String,
    /// What came.
    pub observed: String,
    /// From zero time.
    pub since_fault: String,
    /// From what the window counts from: the last activity.
    pub since_activity: String,
    /// The window, without the allowance for the machine.
    pub window: String,
    /// What a person should notice: the textbook's answer, the counter that explains.
    pub note: String,
}

/// The rows of a case: one for each observed end.
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

/// The verdict on one end of a case: an end of which all came as expected has passed, whatever the
/// other end has seen.
#[must_use]
pub fn verdict(verdict: &Verdict, end: End) -> &Verdict {
    static PASSED: Verdict = Verdict::Passed;
    match verdict {
        Verdict::Failed(mismatches) => {
            // What is wrong with a step is wrong for both.
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

/// A window counts from the activity, in the column beside it, unless the file says otherwise.
fn window_cell(window: &Window) -> String {
    let span = span(window.earliest, window.latest);
    match window.from {
        WindowOrigin::Fault => format!("{span} from fault"),
        _ => span,
    }
}

/// The expected outcome: `ETIMEDOUT`, `survives 6s`.
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

/// How long each connection of an end took to be reported dead, from where its window counts.
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

/// The same in words; empty where none was.
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

/// The activity that an oracle's window counts from; a stated window may count from the fault,
/// which has its own column.
fn activity(prepared: &Prepared, end: End) -> WindowOrigin {
    match prepared.window(end).map(|window| window.from) {
        None | Some(WindowOrigin::Fault) => WindowOrigin::Activity,
        Some(origin) => origin,
    }
}

/// What came, in the words of the column; several connections are counted.
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
