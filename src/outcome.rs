//! What a run has to say of a case: data, and nothing but data. Every report is a function of it.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::evidence::{Evidence, SocketSample, SocketState};
use crate::model::{ALLOWANCE, CounterName, Counters, End, Ended, Moment, NextWrite, PollEvent};
use crate::prepare::Prepared;
use crate::stall::Stall;
use crate::wire::{Neighbours, Track, Write};

/// One case and what became of it.
#[serde_as]
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CaseResult {
    /// The case.
    pub prepared: Arc<Prepared>,
    /// How long its guest waited before it began.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub phase: Duration,
    /// The verdict.
    pub verdict: Verdict,
    /// What was observed, where the lab could be built.
    pub observation: Option<Observation>,
    /// From the start of the case to its verdict, by the clock on the wall: for who watches. It is
    /// no part of what is saved, in which two runs in virtual time do not differ.
    #[serde(skip)]
    pub elapsed: Duration,
    /// The same by the clock of the guest that it ran in, boot and verdict excluded, and up to its
    /// own end where two variants ran in it side by side; `None` for a case that ran on this
    /// kernel.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub guest_time: Option<Duration>,
}

impl CaseResult {
    /// Leaves what its verdict was made of and the steps, which a row tells of, and not what
    /// explains it.
    pub(crate) fn forget_evidence(&mut self) {
        if let Some(observation) = &mut self.observation {
            let steps = std::mem::take(&mut observation.evidence.steps);
            observation.evidence = Evidence {
                steps,
                ..Evidence::default()
            };
        }
    }
}

/// What came of running a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// It was observed.
    Observed(Box<Observation>),
    /// The kernel lacks what it needs; the reason.
    Skipped(String),
    /// The lab could not be built or changed; the reason.
    Impossible(String),
}

/// A case's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything came as expected.
    Passed,
    /// Something did not.
    Failed(Vec<Mismatch>),
    /// The kernel lacks what the case needs; the reason.
    Skipped(String),
    /// Something did not come as expected, and the case did not run on time, or was not recorded
    /// whole: no verdict on the kernel.
    Undecided(Undecided),
    /// The lab could not be built or changed; the reason. No verdict on the kernel.
    Error(String),
    /// The run was stopped before the case came to its end; why.
    Stopped(String),
}

impl Verdict {
    /// Whether the case did not pass although it could be run, or could not be run.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Undecided(_) | Self::Error(_) => true,
            Self::Passed | Self::Skipped(_) | Self::Stopped(_) => false,
        }
    }
}

/// Why there is no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Undecided {
    /// What was late or lost, each with its figure; at least one.
    pub disturbances: Vec<String>,
    /// What did not come as expected; none where the file asks for what was not recorded.
    pub(crate) mismatches: Vec<Mismatch>,
}

/// One thing that did not come as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mismatch {
    /// At which end; `None` for a step.
    pub end: Option<End>,
    /// What was expected.
    pub expected: String,
    /// Where that expectation comes from: the file's line, or the oracle's rule.
    pub because: String,
    /// What happened.
    pub observed: String,
}

/// What was seen of a case.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// From the first namespace to the established connections.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub setup: Duration,
    /// The zero of the case's times.
    pub zero: Moment,
    /// The ends that something is asked of.
    pub ends: Vec<EndObservation>,
    /// When the machine itself stood still.
    pub(crate) stalls: Vec<Stall>,
    /// How many frames the machine dropped meanwhile, those of other cases included, because its
    /// input queue was full ([`crate::kernel::backlog_drops`]).
    pub backlog_drops: u64,
    /// How often the machine's neighbour table, which all namespaces share, was full meanwhile: a
    /// packet that needed an entry was dropped.
    pub neighbours_refused: u64,
    /// Everything that was recorded.
    pub evidence: Evidence,
    /// Why the case did not come to its end, if it did not: then nothing can be said of what it
    /// expects.
    pub(crate) cut_short: Option<Cut>,
}

impl Observation {
    /// How an end's first socket stood at the last look before its connection, or the watch, was
    /// over. What the kernel shows from the last segment on is a socket that it takes down.
    #[must_use]
    pub fn last_state(&self, end: &EndObservation) -> Option<&SocketState> {
        let first = end.connections.first();
        let ended = first.and_then(|first| first.ended);
        let over = ended.map_or(end.watched_until, |(_, at)| at);
        let is_error = matches!(ended, Some((Ended::Error(_), _)));
        let rst = first.and_then(ConnectionObservation::last_segment);
        let rst = rst.filter(|_| is_error);
        let is_before = |sample: &&SocketSample| {
            sample.at <= over && rst.is_none_or(|rst| sample.at < rst) && sample.state.is_some()
        };
        let mut samples = self.evidence.samples_of_first(end.end);
        samples.rfind(is_before)?.state.as_ref()
    }
}

/// Why a case did not come to its end.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cut {
    /// A step of traffic did not succeed.
    Step(BrokenStep),
    /// It took longer than this limit.
    Timeout(#[serde_as(as = "DurationNanoSeconds<u64>")] Duration),
}

/// A step of traffic that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BrokenStep {
    /// Its line in the file.
    pub line: usize,
    /// What it was: "exchange from client".
    pub what: String,
    /// Why it did not succeed.
    pub error: String,
}

/// What one end saw.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndObservation {
    /// Which end.
    pub end: End,
    /// One for each connection.
    pub connections: Vec<ConnectionObservation>,
    /// What was on its wire of ARP or NDP.
    pub neighbours: Neighbours,
    /// By how much each counter of its namespace rose from zero time to the end of the watch.
    pub counters: Counters,
    /// Its open socket descriptors, where the file asks about them.
    pub descriptors: Option<Descriptors>,
    /// Until when it was watched: what comes later is not judged. The exchange that proves a
    /// survivor comes after.
    pub watched_until: Moment,
    /// How long after its outcome, or its time, its counters were read.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub look_delay: Duration,
    /// How well it was recorded.
    pub recording: Recording,
}

/// How well an end was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recording {
    /// The looks at the socket that came late.
    pub(crate) late_looks: Vec<LateLook>,
    /// How many frames the kernel dropped because the packet socket's buffer was full.
    pub frames_lost: u32,
    /// Why it ended before the case did, if it did.
    pub broken_off: Option<String>,
}

/// A look at a socket that came later than is allowed for after the frame that it follows.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LateLook {
    /// When.
    pub at: Moment,
    /// By how much.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub by: Duration,
}

impl EndObservation {
    /// By how much a counter rose; `None` where the kernel has none of this name. The kernel shows
    /// the counter of an ICMP message type only once a message was counted (`icmpmsg_put`,
    /// `snmp6_seq_show_icmpv6msg`).
    #[must_use]
    pub fn rise(&self, name: &CounterName) -> Option<u64> {
        let unseen = name.is_of_message_type().then_some(0);
        self.counters.get(name).copied().or(unseen)
    }
}

/// What one end saw of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionObservation {
    /// Whether the kernel had it, or a part of it, and the program never accepted it.
    pub unaccepted: bool,
    /// How it ended, and when the kernel reported it; `None` while it is open.
    pub ended: Option<(Ended, Moment)>,
    /// Since when the program has read; `None` where it does not.
    pub reads_since: Option<Moment>,
    /// What poll(2) told of the socket as it ended.
    pub poll: Vec<PollEvent>,
    /// What a write said after the outcome, where that is asked.
    pub next_write: Option<NextWrite>,
    /// The exchange that proves a survivor alive; the error where it failed.
    pub further_exchange: Option<Result<(), String>>,
    /// What the application wrote.
    pub writes: Vec<Write>,
    /// What was on the wire.
    pub track: Track,
}

impl ConnectionObservation {
    /// When the segment passed that came with the end of the connection, if one did: the peer's RST
    /// or FIN, or this end's own RST, which the kernel sends as it gives up.
    #[must_use]
    pub(crate) fn last_segment(&self) -> Option<Moment> {
        let (ended, at) = self.ended?;
        let first = |moments: &[Moment]| moments.first().copied();
        let passed = match ended {
            Ended::EndOfFile => self.track.fin_received,
            Ended::Error(errno) if errno.is_of_rst() => self.track.reset,
            Ended::Error(_) => first(&self.track.rst_sent),
        };
        passed.filter(|passed| *passed <= at)
    }

    /// How long the program took to read the end of the connection after it could, as far as the
    /// wire shows it.
    #[must_use]
    pub(crate) fn read_delay(&self) -> Option<Duration> {
        let (_, at) = self.ended?;
        let readable = self.last_segment()?.max(self.reads_since?);
        Some(at.since(readable))
    }

    /// How and when the program could learn of the end: when it did, unless the machine was too
    /// busy to let it read in time.
    #[must_use]
    pub(crate) fn told(&self) -> Option<(Ended, Moment)> {
        let (ended, at) = self.ended?;
        let late = self.read_delay().filter(|late| *late > ALLOWANCE);
        Some((ended, at.before(late.unwrap_or_default())))
    }
}

/// Open socket descriptors of one end, counted in the process's own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Descriptors {
    /// Before the connections were opened.
    pub before: usize,
    /// With all of them open.
    pub open: usize,
    /// After the outcome.
    pub after: usize,
}

/// What happens during a run, for those who watch.
#[derive(Debug)]
pub enum Event {
    /// The case at this place in the run's list has begun.
    Started(usize, Arc<Prepared>),
    /// It has come to its verdict.
    Finished(usize, Box<CaseResult>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::row::rows;
    use crate::testing::{crashed, observed};

    /// A case may pass without the step that it was written for.
    #[test]
    fn steps_that_were_not_taken_are_told_of_a_case_that_passed() {
        let at = Moment::from_nanos(0);
        let mut observation = observed(vec![crate::testing::client(Vec::new())]);
        observation.evidence.steps = vec![crate::evidence::StepTaken {
            line: 12,
            what: "send 1 byte from client".to_owned(),
            kind: crate::step::StepKind::Traffic,
            due: at,
            from: at,
            until: at,
            waits_for_peer: true,
            not_taken: Some("the client's connection had ended with ETIMEDOUT".to_owned()),
        }];
        let mut result = CaseResult {
            prepared: Arc::new(crashed(r#"error = "ETIMEDOUT""#)),
            phase: Duration::ZERO,
            verdict: Verdict::Passed,
            observation: Some(observation),
            elapsed: Duration::ZERO,
            guest_time: None,
        };
        result.forget_evidence();
        assert_eq!(rows(&result)[0].note, "1 step not taken");
    }
}
