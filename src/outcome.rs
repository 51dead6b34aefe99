//! The result of a case, as plain data. Every report is a function of it.

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

/// One case with its result.
#[serde_as]
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CaseResult {
    /// The case.
    pub prepared: Arc<Prepared>,
    /// The delay in the guest before the case began.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub phase: Duration,
    /// The verdict.
    pub verdict: Verdict,
    /// The observation; `None` if the lab could not be built.
    pub observation: Option<Observation>,
    /// The wall-clock time from the start of the case to its verdict, for the user. It is not
    /// saved, so that saved results of two runs in virtual time are identical.
    #[serde(skip)]
    pub elapsed: Duration,
    /// The duration of the case by the clock of its guest, without the boot and the verdict. If two
    /// variants ran in the guest at the same time, it is the time to the end of this variant.
    /// `None` for a case that ran on this kernel.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub guest_time: Option<Duration>,
}

impl CaseResult {
    /// Removes the evidence except the steps, which a table row counts. The data on which the
    /// verdict is based remains.
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

/// The result of the attempt to run a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// The case was observed.
    Observed(Box<Observation>),
    /// The kernel lacks a feature that the case needs; the reason.
    Skipped(String),
    /// The lab could not be built or changed; the reason.
    Impossible(String),
}

/// A case's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All expectations were met.
    Passed,
    /// An expectation was not met.
    Failed(Vec<Mismatch>),
    /// The kernel lacks a feature that the case needs, or the case cannot run in real time; the
    /// reason.
    Skipped(String),
    /// An expectation was not met, but the case did not run on time; or the recording is incomplete
    /// and an expectation depends on it. No verdict on the kernel.
    Undecided(Undecided),
    /// The lab could not be built or changed; the reason. No verdict on the kernel.
    Error(String),
    /// The run was stopped before the end of the case; the reason.
    Stopped(String),
}

impl Verdict {
    /// Whether the case failed, has no verdict, or could not be run; `false` if it was skipped or
    /// stopped.
    #[must_use]
    pub(crate) fn is_bad(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Undecided(_) | Self::Error(_) => true,
            Self::Passed | Self::Skipped(_) | Self::Stopped(_) => false,
        }
    }
}

/// Why there is no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Undecided {
    /// The delays and losses, each with its figure; at least one.
    pub disturbances: Vec<String>,
    /// The expectations that were not met. Empty if the only reason is an incomplete recording.
    pub(crate) mismatches: Vec<Mismatch>,
}

/// An expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mismatch {
    /// The end; `None` for a step or a time limit.
    pub(crate) end: Option<End>,
    /// The expected behaviour.
    pub(crate) expected: String,
    /// The origin of the expectation: a line of the file, a rule of the oracle, or an option.
    pub(crate) because: String,
    /// The observed behaviour.
    pub(crate) observed: String,
}

/// The observation of a case.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// The time from the start of the construction of the lab to the established connections.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub setup: Duration,
    /// The zero of the case's times.
    pub zero: Moment,
    /// The ends that have expectations.
    pub ends: Vec<EndObservation>,
    /// The intervals in which the machine stood still.
    pub(crate) stalls: Vec<Stall>,
    /// The number of frames, including those of other cases, that the machine dropped meanwhile
    /// because an input queue was full ([`crate::kernel::backlog_drops`]).
    pub(crate) backlog_drops: u64,
    /// The number of packets that were dropped meanwhile because the neighbour table, which all
    /// namespaces share, had no room for an entry.
    pub(crate) neighbours_refused: u64,
    /// The recorded evidence.
    pub evidence: Evidence,
    /// Why the case was cut short; `None` if it was completed. The expectations of a case that was
    /// cut short are not judged.
    pub(crate) cut_short: Option<Cut>,
}

impl Observation {
    /// The state of an end's first socket in the last sample before the end of its connection or of
    /// the watch. If the connection ended with an error, samples after the last segment are
    /// ignored, because from then on the kernel closes the socket.
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

/// Why a case was cut short.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cut {
    /// A step failed.
    Step(BrokenStep),
    /// The case exceeded this time limit.
    Timeout(#[serde_as(as = "DurationNanoSeconds<u64>")] Duration),
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BrokenStep {
    /// The line of the step in the file.
    pub(crate) line: usize,
    /// The description of the step: "exchange from client".
    pub(crate) what: String,
    /// Why it failed.
    pub(crate) error: String,
}

/// The observation of one end.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndObservation {
    /// The end.
    pub end: End,
    /// The observation of each connection.
    pub connections: Vec<ConnectionObservation>,
    /// The captured ARP or NDP messages.
    pub(crate) neighbours: Neighbours,
    /// The increase of each counter of its namespace from zero time to the end of the watch.
    pub(crate) counters: Counters,
    /// Its open socket descriptors, if the file has an expectation of them.
    pub(crate) descriptors: Option<Descriptors>,
    /// The end of the watch. Later events are not judged. The exchange that proves survival comes
    /// after the watch.
    pub(crate) watched_until: Moment,
    /// The delay from its outcome, or from the end of its time, to the read of the counters.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub(crate) look_delay: Duration,
    /// The quality of the recording.
    pub(crate) recording: Recording,
}

/// The quality of the recording of an end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Recording {
    /// The late looks at the socket.
    pub(crate) late_looks: Vec<LateLook>,
    /// The number of frames that the kernel dropped because the packet socket's buffer was full.
    pub(crate) frames_lost: u32,
    /// Why the recording is incomplete for another reason, such as an error that ended it early.
    pub(crate) broken_off: Option<String>,
}

/// A look at a socket that occurred later after its frame than the allowance permits.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LateLook {
    /// The time of the look.
    pub(crate) at: Moment,
    /// The delay after the frame.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub(crate) by: Duration,
}

impl EndObservation {
    /// The increase of a counter; `None` if the kernel has no counter of this name. For the counter
    /// of an ICMP message type, it is zero if the kernel does not list it: the kernel lists such a
    /// counter only after it has counted a message (`icmpmsg_put`, `snmp6_seq_show_icmpv6msg`).
    #[must_use]
    pub fn rise(&self, name: &CounterName) -> Option<u64> {
        let unseen = name.is_of_message_type().then_some(0);
        self.counters.get(name).copied().or(unseen)
    }
}

/// The observation of one connection at one end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionObservation {
    /// Whether the server's program has not accepted the connection, although its kernel may have
    /// it in a queue.
    pub(crate) unaccepted: bool,
    /// How the connection ended, and when the kernel reported it; `None` while it is open.
    pub ended: Option<(Ended, Moment)>,
    /// Since when the program has been reading; `None` if it does not read.
    pub(crate) reads_since: Option<Moment>,
    /// The events that poll(2) returned for the socket at the end of the connection.
    pub(crate) poll: Vec<PollEvent>,
    /// The result of a write after the outcome, if the file has an expectation of it.
    pub(crate) next_write: Option<NextWrite>,
    /// The result of the exchange that proves survival.
    pub(crate) further_exchange: Option<Result<(), String>>,
    /// The writes of the application.
    pub writes: Vec<Write>,
    /// The captured segments.
    pub track: Track,
}

impl ConnectionObservation {
    /// The time of the segment that belongs to the end of the connection, if there is one: the RST
    /// or FIN of the peer, or the RST that this end's kernel sends when it gives the connection up.
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

    /// The delay from the moment when the program could read the end of the connection, according
    /// to the capture, to the moment when it did. `None` if the capture does not show that moment.
    #[must_use]
    pub(crate) fn read_delay(&self) -> Option<Duration> {
        let (_, at) = self.ended?;
        let readable = self.last_segment()?.max(self.reads_since?);
        Some(at.since(readable))
    }

    /// How the connection ended, and when. If the program read the end late because the machine was
    /// busy, this is the time when it could have read it; otherwise, the time when it did.
    #[must_use]
    pub(crate) fn told(&self) -> Option<(Ended, Moment)> {
        let (ended, at) = self.ended?;
        let late = self.read_delay().filter(|late| *late > ALLOWANCE);
        Some((ended, at.before(late.unwrap_or_default())))
    }
}

/// Open socket descriptors of one end, counted in the process's own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Descriptors {
    /// Before the connections were opened.
    pub(crate) before: usize,
    /// After the outcome, with the sockets of the connections still open.
    pub(crate) open: usize,
    /// After the sockets of ended connections were closed.
    pub(crate) after: usize,
}

/// An event during a run, for reports of progress.
#[derive(Debug)]
pub enum Event {
    /// The case at this index of the run has begun.
    Started(usize, Arc<Prepared>),
    /// The case at this index has its verdict.
    Finished(usize, Box<CaseResult>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::row::rows;
    use crate::testing::{crashed, observed};

    /// A case may pass although the step that it was written for was skipped.
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
