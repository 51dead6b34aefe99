//! The plan of a case in words: the topology with addresses, the settings, the steps, the expected
//! outcome and the window.

mod network;

pub use network::outline;

use crate::model::{End, EvidenceExpectation, Expectation, ExpectedOutcome, PollEvent};
use crate::oracle::prediction::PredictedOutcome;
use crate::prepare::Prepared;
use crate::scenario::Clock;
use crate::setting;
use crate::step::{Action, ProgramAction, Start, Step};
use crate::text::seconds;

/// Returns the lines of the plan of one case.
#[must_use]
pub fn lines(prepared: &Prepared) -> Vec<String> {
    let case = &prepared.case;
    let mut lines = vec![format!(
        "{} ({}:{})",
        case.id,
        prepared.path.display(),
        case.line
    )];
    if let Some(note) = &case.note {
        lines.push(format!("  note        {note}"));
    }
    if case.clock != Clock::Any {
        lines.push(format!("  clock       {}", case.clock));
    }
    lines.extend(network::lines(prepared));
    let count = if case.connection.count == 1 {
        String::new()
    } else {
        format!("{} times ", case.connection.count)
    };
    lines.push(format!(
        "  connection  {count}client: {}",
        setting::describe(&case.connection.client)
    ));
    lines.push(format!(
        "              server: {}",
        setting::describe(&case.connection.server)
    ));
    lines.extend(steps(&case.steps));
    for (end, expectation) in prepared.observed() {
        lines.extend(expected(prepared, end, expectation));
    }
    lines
}

/// Returns a line for each step. The repetitions of a write share one line.
fn steps(steps: &[Step]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut number = 1;
    let is_again = |one: &Step, next: &Step| {
        let is_write = matches!(one.action, Action::Program(ProgramAction::SendData(_)));
        is_write && (one.line, &one.action) == (next.line, &next.action)
    };
    for alike in steps.chunk_by(is_again) {
        let (first, count) = (&alike[0], alike.len());
        let (numbers, again) = match alike.get(1).map(|again| again.start) {
            None => (number.to_string(), String::new()),
            Some(again) => {
                let every = match again {
                    Start::After(every) => format!(", every {}", seconds(every)),
                    Start::AtOnce | Start::When { .. } => String::new(),
                };
                let numbers = format!("{number}-{}", number + count - 1);
                (numbers, format!(", {count} times{every}"))
            }
        };
        let start = start(first.start);
        lines.push(format!("  step {numbers:<6} {start}{first}{again}"));
        number += count;
    }
    lines
}

/// Returns the start of a step in words, as a prefix: `after 1s: `. It is empty for a step that
/// starts at once.
#[must_use]
pub fn start(start: Start) -> String {
    match start {
        Start::AtOnce => String::new(),
        Start::After(time) => format!("after {}: ", seconds(time)),
        Start::When { count, what } => format!(
            "when {count} {} {what}: ",
            if count == 1 { "probe" } else { "probes" }
        ),
    }
}

fn expected(prepared: &Prepared, end: End, expectation: &Expectation) -> Vec<String> {
    let mut lines = Vec::new();
    match expectation.outcome {
        ExpectedOutcome::Survives(time) => {
            lines.push(format!(
                "  expect      {end}: survives for {}, then a further exchange succeeds",
                seconds(time)
            ));
        }
        ExpectedOutcome::EndOfFile => lines.push(format!("  expect      {end}: end of file")),
        ExpectedOutcome::Open(time) => {
            lines.push(format!(
                "  expect      {end}: still open after {}",
                seconds(time)
            ));
        }
        ExpectedOutcome::Error(errno) => {
            let textbook = expectation
                .textbook
                .map(|name| format!(" (textbook: {name})"))
                .unwrap_or_default();
            lines.push(format!("  expect      {end}: {errno}{textbook}"));
        }
    }
    if let Some(window) = prepared.window(end) {
        let origin = window.from;
        let (earliest, latest) = (seconds(window.earliest), seconds(window.latest));
        lines.push(format!(
            "  window      {earliest}..{latest} after {origin} ({})",
            window.formula
        ));
    }
    if let Some(prediction) = prepared.prediction(end) {
        lines.push(format!("  rule        {}", prediction.rule));
        if let PredictedOutcome::Error { errno: None, .. } = prediction.outcome {
            lines.push(
                "  left open   which errno is reported: the rule predicts only the time".to_owned(),
            );
        }
    }
    lines.extend(further(expectation).map(|further| format!("  also        {further}")));
    lines
}

/// Returns the expectations besides the outcome, in words.
fn further(expectation: &Expectation) -> impl Iterator<Item = String> {
    let probes = &expectation.probes;
    let sent = probes.sent.map(|count| format!("{count} sent"));
    let answered = probes.answered.map(|count| format!("{count} answered"));
    let times: Vec<String> = probes.at.iter().copied().map(seconds).collect();
    let at = (!times.is_empty()).then(|| format!("at {}", times.join(", ")));
    let spacing = probes
        .spacing
        .map(|time| format!("{} apart", seconds(time)));
    let probes: Vec<String> = [sent, answered, spacing, at]
        .into_iter()
        .flatten()
        .collect();
    let probes = (!probes.is_empty()).then(|| format!("probes on the wire: {}", probes.join(", ")));
    let window = &expectation.window_probes;
    let window = [
        window.sent.map(|count| format!("{count} sent")),
        window.answered.map(|count| format!("{count} answered")),
    ];
    let window: Vec<String> = window.into_iter().flatten().collect();
    let window =
        (!window.is_empty()).then(|| format!("window probes on the wire: {}", window.join(", ")));
    let evidence = evidence(&expectation.evidence);
    let counters: Vec<String> = expectation
        .counters
        .iter()
        .map(|(name, count)| format!("{name} +{count}"))
        .collect();
    let counters = (!counters.is_empty()).then(|| format!("counters: {}", counters.join(", ")));
    let descriptors = expectation
        .descriptors_return
        .then(|| "descriptors: all returned".to_owned());
    let events: Vec<String> = expectation.poll.iter().map(PollEvent::to_string).collect();
    let poll = (!events.is_empty()).then(|| format!("poll: {}", events.join(", ")));
    let write = expectation
        .next_write
        .map(|outcome| format!("the next write: {outcome}"));
    [probes, window, evidence, counters, poll, write, descriptors]
        .into_iter()
        .flatten()
}

fn evidence(expected: &EvidenceExpectation) -> Option<String> {
    let counts = [
        ("retransmissions", expected.retransmissions),
        ("RST sent", expected.rst_sent),
        ("RST received", expected.rst_received),
        ("ARP or NDP requests", expected.solicited),
        ("ARP or NDP replies", expected.advertised),
    ];
    let counts = counts
        .into_iter()
        .filter_map(|(what, range)| Some(format!("{} {what}", range?)));
    let icmp = expected
        .icmp
        .iter()
        .map(|(kind, range)| format!("{range} {} ICMP {kind}", kind.family));
    let from = expected
        .icmp_from
        .map(|node| format!("ICMP errors from {node} only"));
    let timer = expected.timer.map(|timer| format!("timer {timer}"));
    let state = expected.state.map(|state| format!("state {state}"));
    let all: Vec<String> = counts
        .chain(icmp)
        .chain(from)
        .chain(timer)
        .chain(state)
        .collect();
    (!all.is_empty()).then(|| format!("evidence: {}", all.join(", ")))
}
