//! The evidence that explains a case: the packets, the kernel's counters, and the mismatches.

use crate::model::{Moment, Stack};
use crate::outcome::{
    CaseResult, ConnectionObservation, EndObservation, Mismatch, Observation, Verdict,
};
use crate::stall::stalled;
use crate::text::{plural, seconds};
use crate::wire::{Probe, ProbeKind};

/// The counters that explain how a connection dies. Hundreds of other counters change as well.
const RELEVANT: [&str; 16] = [
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

/// Returns the lines of the evidence: the packets, the counters, the steps that were not taken or
/// late, and the limits of the machine that were reached. Empty without an observation.
#[must_use]
pub(crate) fn evidence(result: &CaseResult) -> Vec<String> {
    let Some(observation) = &result.observation else {
        return Vec::new();
    };
    let mut lines = vec![format!("set up in {}", seconds(observation.setup))];
    for seen in &observation.ends {
        let predicted = result.prepared.prediction(seen.end);
        // The rule explains an outcome. A case that was cut short has no outcome.
        if let Some(prediction) = predicted.filter(|_| observation.cut_short.is_none()) {
            lines.push(format!("{}: rule: {}", seen.end, prediction.rule));
        }
        lines.extend(
            wire(seen, observation)
                .into_iter()
                .map(|line| format!("{}: {line}", seen.end)),
        );
        let counters: Vec<String> = RELEVANT
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
            // The counters are those of the machine, so they include both variants of the case.
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
    for step in &observation.evidence.steps {
        if let Some(why) = &step.not_taken {
            lines.push(format!(
                "{} (line {}): not taken: {why}",
                step.what, step.line
            ));
        }
    }
    for (step, delay) in observation.evidence.delays() {
        lines.push(format!("{} (line {}) {delay}", step.what, step.line));
    }
    if observation.neighbours_refused > 0 {
        lines.push(format!(
            "the machine's neighbour table was full {}, so the kernel dropped packets: run fewer cases at once (-j), or raise \
             net.ipv4.neigh.default.gc_thresh3 and net.ipv6.neigh.default.gc_thresh3",
            plural(usize::try_from(observation.neighbours_refused).unwrap_or(usize::MAX), "time")
        ));
    }
    if observation.backlog_drops > 0 {
        lines.push(format!(
            "the machine dropped {} at its own input queue, which TCP treats as local congestion: run fewer connections at once, \
             or raise net.core.netdev_max_backlog",
            plural(usize::try_from(observation.backlog_drops).unwrap_or(usize::MAX), "frame")
        ));
    }
    lines
}

/// Returns lines on the packets of an end. The connections are identical, so the first connection
/// with an outcome stands for all connections with that outcome.
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
            (true, Some(ended)) => format!("connection with {ended}: "),
            (true, None) => "open connection: ".to_owned(),
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
    let probes_of = |what: ProbeKind, kind: &str| {
        let probes = track.probes_since(observation.zero).iter();
        let probes = probes.filter(|probe| probe.kind == what);
        let times: Vec<String> = probes
            .map(|probe| probed(probe, after(probe.sent)))
            .collect();
        let count = plural(times.len(), kind);
        (!times.is_empty()).then(|| format!("{count} at {}", times.join(", ")))
    };
    let mut lines: Vec<String> = [
        probes_of(ProbeKind::Keepalive, "keepalive probe"),
        probes_of(ProbeKind::Window, "window probe"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if lines.is_empty() {
        lines.push("no keepalive probe on the wire".to_owned());
    }
    if let Some(at) = track.first_unacknowledged(&connection.writes) {
        lines.push(format!("data is unacknowledged since {}", after(at)));
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

/// Returns the report on a case that did not pass: each mismatch with the source of the
/// expectation, and the evidence.
#[must_use]
pub(crate) fn failure(result: &CaseResult) -> Vec<String> {
    let prepared = &result.prepared;
    let mut lines = vec![format!(
        "{} ({}:{})",
        prepared.case.id,
        prepared.path.display(),
        prepared.case.line
    )];
    match &result.verdict {
        Verdict::Failed(mismatches) => {
            lines.extend(mismatches.iter().flat_map(mismatch_lines));
            lines.extend(
                evidence(result)
                    .into_iter()
                    .map(|line| format!("  evidence: {line}")),
            );
        }
        Verdict::Undecided(undecided) => {
            let disturbances = undecided.disturbances.iter();
            lines.extend(disturbances.map(|disturbance| format!("  no verdict: {disturbance}")));
            lines.extend(undecided.mismatches.iter().flat_map(mismatch_lines));
            lines.extend(
                evidence(result)
                    .into_iter()
                    .map(|line| format!("  evidence: {line}")),
            );
            let help = "run fewer cases at once (-j) and fewer other programs, or use --warp: in virtual time nothing is late";
            lines.push(format!("  help: {help}"));
        }
        Verdict::Error(reason) | Verdict::Skipped(reason) => lines.push(format!("  {reason}")),
        Verdict::Stopped(why) => lines.push(format!("  {why}")),
        Verdict::Passed => {}
    }
    lines
}

/// Returns the expectation, its source, and the observation.
fn mismatch_lines(mismatch: &Mismatch) -> [String; 3] {
    let end = mismatch
        .end
        .map(|end| format!("{end}: "))
        .unwrap_or_default();
    [
        format!("  {end}expected {}", mismatch.expected),
        format!("    from {}", mismatch.because),
        format!("    observed {}", mismatch.observed),
    ]
}
