//! One case in words: what came, when, what explains it, and what went wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Moment;
use crate::judge;
use crate::outcome::{
    CaseResult, ConnectionObservation, Cut, EndObservation, Observation, Verdict,
};
use crate::prepare::{Prepared, Window, WindowOrigin};
use crate::scenario::model::{End, Expectation, ExpectedOutcome, Stack};
use crate::stall::stalled;
use crate::text::{self, plural, seconds};
use crate::wire::{Asks, Probe};

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

/// A window counts from the activity, in the column beside it, unless the file says otherwise.
fn window_cell(window: &Window) -> String {
    let span = span(window.earliest, window.latest);
    match window.from {
        WindowOrigin::Fault => format!("{span} from fault"),
        _ => span,
    }
}

pub(super) fn expected(expectation: &Expectation) -> String {
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
    row.note = note(seen, expectation).join("; ");
}

/// How long each connection of an end took to be reported dead, from where its window counts.
#[must_use]
pub fn detection_times(result: &CaseResult, end: End) -> Vec<Duration> {
    let window = result.prepared.window(end);
    let origin = window.map_or(WindowOrigin::Activity, |window| window.from);
    let Some(observation) = &result.observation else {
        return Vec::new();
    };
    let seen = observation.ends.iter().find(|seen| seen.end == end);
    seen.map(|seen| times_from(origin, observation, seen))
        .unwrap_or_default()
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

/// The activity that an oracle's window counts from; a stated window may count from the fault, which has its own column.
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

/// The counters that explain how a connection dies, among the hundreds that move.
const TELLING: [&str; 16] = [
    "TcpExt:TCPKeepAlive",
    "TcpExt:TCPTimeouts",
    "TcpExt:TCPLossProbes",
    "TcpExt:TCPAbortOnTimeout",
    "TcpExt:TCPAbortOnData",
    "TcpExt:OutOfWindowIcmps",
    "TcpExt:LockDroppedIcmps",
    "Tcp:RetransSegs",
    "Tcp:OutRsts",
    "Tcp:EstabResets",
    "Icmp:InDestUnreachs",
    "Icmp6InDestUnreachs",
    "Ip:OutNoRoutes",
    "Ip:OutDiscards",
    "Ip6OutNoRoutes",
    "Ip6OutDiscards",
];

/// What was on the wire and what the kernel counted, line by line.
#[must_use]
pub fn evidence(result: &CaseResult) -> Vec<String> {
    let Some(observation) = &result.observation else {
        return Vec::new();
    };
    let mut lines = vec![format!("set up in {}", seconds(observation.setup))];
    for seen in &observation.ends {
        let predicted = result.prepared.prediction(seen.end);
        // The rule explains an outcome, and a case that was cut short has none.
        if let Some(prediction) = predicted.filter(|_| observation.cut_short.is_none()) {
            lines.push(format!("{}: rule: {}", seen.end, prediction.rule));
        }
        lines.extend(
            wire(seen, observation)
                .into_iter()
                .map(|line| format!("{}: {line}", seen.end)),
        );
        let counters: Vec<String> = TELLING
            .iter()
            .filter_map(|name| {
                let (name, rise) = seen
                    .counters
                    .iter()
                    .find(|(counter, rise)| counter.0 == **name && **rise > 0)?;
                Some(format!("{name} +{rise}"))
            })
            .collect();
        if !counters.is_empty() {
            // A machine counts for all that it has, and so for both strands.
            let whose = match result.prepared.case.stack {
                Stack::Single => "",
                Stack::Dual => " (of both families)",
            };
            let counters = counters.join(", ");
            lines.push(format!("{}: counters{whose}: {counters}", seen.end));
        }
    }
    let watched = observation.ends.iter().map(|seen| seen.watched_until).max();
    let stood = watched.map(|until| stalled(&observation.stalls, observation.zero, until));
    if let Some(stood) = stood.filter(|stood| !stood.is_zero()) {
        let stood = seconds(stood);
        lines.push(format!("the machine itself stood still for {stood} in all"));
    }
    for (step, delay) in observation.evidence.delays() {
        lines.push(format!("{} (line {}) {delay}", step.what, step.line));
    }
    if observation.neighbours_refused > 0 {
        lines.push(format!(
            "the machine's neighbour table was full {}, and packets were dropped for it: run fewer cases at once (-j), or raise \
             net.ipv4.neigh.default.gc_thresh3 and net.ipv6.neigh.default.gc_thresh3",
            plural(usize::try_from(observation.neighbours_refused).unwrap_or(usize::MAX), "time")
        ));
    }
    if observation.backlog_drops > 0 {
        lines.push(format!(
            "the machine dropped {} at its own input queue, which TCP takes for local congestion: run fewer connections at once, \
             or raise net.core.netdev_max_backlog",
            plural(usize::try_from(observation.backlog_drops).unwrap_or(usize::MAX), "frame")
        ));
    }
    lines
}

/// What was on the wire. Connections are identical, so the first stands for all that ended alike.
fn wire(seen: &EndObservation, observation: &Observation) -> Vec<String> {
    let outcome = |connection: &ConnectionObservation| connection.ended.map(|(ended, _)| ended);
    let mut kinds: Vec<&ConnectionObservation> = Vec::new();
    for connection in &seen.connections {
        if kinds
            .iter()
            .all(|kind| outcome(kind) != outcome(connection))
        {
            kinds.push(connection);
        }
    }
    let several = kinds.len() > 1;
    let of_kind = kinds.into_iter().flat_map(|connection| {
        let label = match (several, outcome(connection)) {
            (false, _) => String::new(),
            (true, Some(ended)) => format!("one with {ended}: "),
            (true, None) => "one that is open: ".to_owned(),
        };
        let lines = wire_of(connection, observation).into_iter();
        lines.map(move |line| format!("{label}{line}"))
    });
    of_kind.collect()
}

fn probed(probe: &Probe, at: String) -> String {
    let answer = match probe.answered {
        Some(_) => "answered",
        None => "no answer",
    };
    format!("{at} ({answer})")
}

fn wire_of(connection: &ConnectionObservation, observation: &Observation) -> Vec<String> {
    let track = &connection.track;
    let after = |at: Moment| seconds(at.since(observation.zero));
    let asked = |what: Asks, kind: &str| {
        let probes = track.probes_since(observation.zero).iter();
        let probes = probes.filter(|probe| probe.asks == what);
        let times: Vec<String> = probes
            .map(|probe| probed(probe, after(probe.sent)))
            .collect();
        let count = plural(times.len(), kind);
        (!times.is_empty()).then(|| format!("{count} at {}", times.join(", ")))
    };
    let mut lines: Vec<String> = [
        asked(Asks::Presence, "keepalive probe"),
        asked(Asks::Window, "window probe"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if lines.is_empty() {
        lines.push("no keepalive probe on the wire".to_owned());
    }
    if let Some(at) = track.first_unacknowledged(&connection.writes) {
        lines.push(format!("data of {} is unacknowledged", after(at)));
    }
    for (what, at) in [
        ("RST sent", &track.rst_sent),
        ("RST received", &track.rst_received),
    ] {
        lines.extend(
            at.iter()
                .take(1)
                .map(|at| format!("{what} at {}", after(*at))),
        );
    }
    if let (Some((ended, at)), Some(_)) = (connection.ended, &observation.cut_short) {
        lines.push(format!(
            "the connection ended with {ended} at {}",
            after(at)
        ));
    }
    lines
}

/// Everything about a case that did not pass: what was expected and from where, what happened, and the evidence.
#[must_use]
pub fn failure(result: &CaseResult) -> Vec<String> {
    let prepared = &result.prepared;
    let mut lines = vec![format!(
        "{} ({}:{})",
        prepared.case.id,
        prepared.path.display(),
        prepared.case.line
    )];
    match &result.verdict {
        Verdict::Failed(mismatches) => {
            for mismatch in mismatches {
                let end = mismatch
                    .end
                    .map(|end| format!("{end}: "))
                    .unwrap_or_default();
                lines.push(format!("  {end}expected {}", mismatch.expected));
                lines.push(format!("    from {}", mismatch.because));
                lines.push(format!("    observed {}", mismatch.observed));
            }
            lines.extend(
                evidence(result)
                    .into_iter()
                    .map(|line| format!("  evidence: {line}")),
            );
        }
        Verdict::Error(reason) | Verdict::Skipped(reason) => lines.push(format!("  {reason}")),
        Verdict::Stopped(why) => lines.push(format!("  {why}")),
        Verdict::Passed => {}
    }
    lines
}

/// What was skipped, a line for each reason: `skip 3 cases: this kernel has no bridge devices (a, b, c)`.
#[must_use]
pub fn skips(results: &[CaseResult]) -> Vec<String> {
    /// More names than this are only counted.
    const NAMES: usize = 4;
    let mut reasons: Vec<(&str, Vec<&CaseResult>)> = Vec::new();
    for result in results {
        let Verdict::Skipped(reason) = &result.verdict else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, skipped)) => skipped.push(result),
            None => reasons.push((reason, vec![result])),
        }
    }
    let line = |(reason, skipped): (&str, Vec<&CaseResult>)| {
        let names = names(&skipped);
        let more = names.len().saturating_sub(NAMES);
        let mut named = names[..names.len() - more].join(", ");
        if more > 0 {
            named = format!("{named}, and {more} more");
        }
        format!("skip {}: {reason} ({named})", runs(&skipped))
    };
    reasons.into_iter().map(line).collect()
}

/// The cases, each once, in the order in which they first come.
fn names<'r>(results: &[&'r CaseResult]) -> Vec<&'r str> {
    let mut seen = BTreeSet::new();
    results
        .iter()
        .map(|result| result.prepared.case.id.0.as_str())
        .filter(|name| seen.insert(*name))
        .collect()
}

/// `4 cases`, or `8 runs of 4 cases` where they ran more than once, or on more than one kernel.
fn runs(results: &[&CaseResult]) -> String {
    let cases = plural(names(results).len(), "case");
    if names(results).len() == results.len() {
        cases
    } else {
        format!("{} of {cases}", plural(results.len(), "run"))
    }
}

/// The closing line: how many cases, how long, and how many of each verdict; and of the time those took that ran in guests, how much faster
/// it went there.
#[must_use]
pub fn closing(results: &[&CaseResult], elapsed: Duration, in_guests: Duration) -> String {
    let count = |matches: fn(&Verdict) -> bool| {
        results
            .iter()
            .filter(|result| matches(&result.verdict))
            .count()
    };
    let mut parts = vec![format!(
        "{} passed",
        count(|verdict| matches!(verdict, Verdict::Passed))
    )];
    let others = [
        (
            count(|verdict| matches!(verdict, Verdict::Failed(_))),
            "failed",
        ),
        (
            count(|verdict| matches!(verdict, Verdict::Skipped(_))),
            "skipped",
        ),
        (
            count(|verdict| matches!(verdict, Verdict::Error(_))),
            "could not be run",
        ),
        (
            count(|verdict| matches!(verdict, Verdict::Stopped(_))),
            "stopped",
        ),
    ];
    parts.extend(
        others
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}")),
    );
    let guests: Duration = results.iter().filter_map(|result| result.guest_time).sum();
    let warp = if guests.is_zero() {
        String::new()
    } else {
        format!("; {}", text::warp(guests, in_guests))
    };
    format!(
        "{} in {}: {}{warp}",
        runs(results),
        seconds(elapsed),
        parts.join(", ")
    )
}
