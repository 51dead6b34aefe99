//! What each end must see.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use super::evidence::EvidenceExpectation;
use super::limits::CountRange;
use crate::endpoint::{Ended, PollEvent};
use crate::errno::ErrnoName;

/// What each observed end must see; at least one is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Expectations {
    /// At the client.
    pub client: Option<Expectation>,
    /// At the server.
    pub server: Option<Expectation>,
}

/// What one end must see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expectation {
    /// Line (from 1) in the file, for messages.
    pub line: usize,
    /// The lines of its keys, such as `error` and `probes.sent`.
    pub lines: BTreeMap<String, usize>,
    /// Where the file says it, for messages.
    pub places: Places,
    /// The outcome itself.
    pub outcome: ExpectedOutcome,
    /// What TCP/IP Illustrated has the application see, where Linux differs. Shown, never judged.
    pub textbook: Option<ErrnoName>,
    /// A window that the file states, in place of the oracle's.
    pub within: Option<StatedWindow>,
    /// Keepalive probes that this end sent, counted from zero time.
    pub probes: ProbeExpectation,
    /// Probes into a closed window that this end sent, counted from zero time.
    pub window_probes: WindowProbeExpectation,
    /// What else is to be on the wire, and in the kernel.
    pub evidence: EvidenceExpectation,
    /// Counters of this end's namespace (`TcpExt:OutOfWindowIcmps`): by how much each rose since zero time.
    pub counters: Vec<(CounterName, CountRange)>,
    /// What poll(2) tells of the socket as the outcome comes, all of it; nothing is asked where it is empty.
    pub poll: Vec<PollEvent>,
    /// What a write says after the outcome.
    pub next_write: Option<NextWrite>,
    /// After the outcome, this end's open descriptors are back at the number from before the connections were opened.
    pub descriptors_return: bool,
}

impl Expectation {
    /// The line of a key, else that of the table that it is in, else that of the expectation.
    #[must_use]
    pub fn line_of(&self, key: &str) -> usize {
        let of = |key: &str| self.lines.get(key).copied();
        let table = || of(key.split('.').next().unwrap_or(key));
        of(key).or_else(table).unwrap_or(self.line)
    }

    /// Whether it asks for anything that only the recorded frames can show.
    #[must_use]
    pub fn asks_for_frames(&self) -> bool {
        let EvidenceExpectation {
            retransmissions,
            rst_sent,
            rst_received,
            icmp,
            icmp_from,
            solicited,
            advertised,
            timer: _,
            state: _,
        } = &self.evidence;
        let counts = [
            retransmissions,
            rst_sent,
            rst_received,
            solicited,
            advertised,
        ];
        self.probes != ProbeExpectation::default()
            || self.window_probes != WindowProbeExpectation::default()
            || counts.into_iter().any(Option::is_some)
            || !icmp.is_empty()
            || icmp_from.is_some()
    }
}

/// Byte ranges in the file's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Places {
    /// The value of `error` or `survives`.
    pub outcome: Range<usize>,
    /// The value of `within`.
    pub within: Option<Range<usize>>,
}

/// The kinds of outcome.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedOutcome {
    /// The kernel reports this error on every connection.
    Error(ErrnoName),
    /// `read` returns zero on every connection: the peer has closed.
    EndOfFile,
    /// Nothing is reported for this long after zero time, and then a further exchange succeeds.
    Survives(#[serde_as(as = "DurationNanoSeconds<u64>")] Duration),
    /// Nothing is reported for this long after zero time. Whether anything would still get through is not asked.
    Open(#[serde_as(as = "DurationNanoSeconds<u64>")] Duration),
}

impl ExpectedOutcome {
    /// The key that states it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Error(_) => "error",
            Self::EndOfFile => "eof",
            Self::Survives(_) => "survives",
            Self::Open(_) => "open",
        }
    }

    /// The end that the application is to see.
    #[must_use]
    pub fn ended(self) -> Option<Ended> {
        match self {
            Self::Error(errno) => Some(Ended::Error(errno)),
            Self::EndOfFile => Some(Ended::EndOfFile),
            Self::Survives(_) | Self::Open(_) => None,
        }
    }

    /// How long it is to see none.
    #[must_use]
    pub fn lasts(self) -> Option<Duration> {
        match self {
            Self::Error(_) | Self::EndOfFile => None,
            Self::Survives(time) | Self::Open(time) => Some(time),
        }
    }
}

/// What a write says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextWrite {
    /// The kernel takes the bytes.
    Succeeds,
    /// It returns this error.
    Fails(ErrnoName),
}

/// A window as the file states it: both ends inclusive.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatedWindow {
    /// Not before.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub from: Duration,
    /// Not after.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub to: Duration,
    /// Counted from where.
    pub since: Since,
}

/// Where a window starts to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// Zero time: the moment at which the first fault's step began, or, in a case without a fault, the end of the last step.
    Fault,
    /// The last segment that this end received before the outcome (for data in flight: the first transmission of it).
    Activity,
}

/// What is asked of the probes; all fields optional.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ProbeExpectation {
    /// How many went out.
    pub sent: Option<CountRange>,
    /// How many of them were answered by a segment from the peer that is not a RST.
    pub answered: Option<CountRange>,
    /// From each probe to the next; a probe may be late by what the timer wheel allows, never early.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub spacing: Option<Duration>,
    /// When each of the first probes after zero time went out, from the last segment received before the first of them; each may be
    /// late by what the timer wheel allows, never early.
    #[serde_as(as = "Vec<DurationNanoSeconds<u64>>")]
    pub at: Vec<Duration>,
}

/// What is asked of the probes into a closed window; all fields optional.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WindowProbeExpectation {
    /// How many went out.
    pub sent: Option<CountRange>,
    /// How many of them were answered by a bare acknowledgement.
    pub answered: Option<CountRange>,
}

/// A kernel counter, `Group:Name` as `/proc/net/netstat` and `/proc/net/snmp` spell it, or a bare name of `/proc/net/snmp6`.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct CounterName(pub String);

impl CounterName {
    /// Whether it counts the messages of one ICMP type: `IcmpMsg:InType3`, `Icmp6OutType136`.
    #[must_use]
    pub fn is_of_message_type(&self) -> bool {
        self.0.starts_with("IcmpMsg:")
            || ["Icmp6InType", "Icmp6OutType"]
                .iter()
                .any(|group| self.0.starts_with(group))
    }
}
