//! What each end must see.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use super::end::End;
use super::errno::ErrnoName;
use super::family::Family;
use super::icmp::icmp_name;
use super::socket::{Ended, PollEvent, TcpState, TimerKind};
use crate::model::{CountRange, Node};

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
    /// Counters of this end's namespace (`TcpExt:OutOfWindowIcmps`): by how much each rose since
    /// zero time.
    pub counters: Vec<(CounterName, CountRange)>,
    /// What poll(2) tells of the socket as the outcome comes, all of it; nothing is asked where it
    /// is empty.
    pub poll: Vec<PollEvent>,
    /// What a write says after the outcome.
    pub next_write: Option<NextWrite>,
    /// After the outcome, this end's open descriptors are back at the number from before the
    /// connections were opened.
    pub descriptors_return: bool,
}

impl Expectation {
    /// The line of a key, else that of the table that it is in, else that of the expectation.
    #[must_use]
    pub(crate) fn line_of(&self, key: &str) -> usize {
        let of = |key: &str| self.lines.get(key).copied();
        let table = || of(key.split('.').next().unwrap_or(key));
        of(key).or_else(table).unwrap_or(self.line)
    }

    /// Whether it asks for anything that only the recorded frames can show.
    #[must_use]
    pub(crate) fn asks_for_frames(&self) -> bool {
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
    /// Nothing is reported for this long after zero time. Whether anything would still get through
    /// is not asked.
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
    /// Zero time: the moment at which the first fault's step began, or, in a case without a fault,
    /// the end of the last step.
    Fault,
    /// The last segment that this end received before the outcome (for data in flight: the first
    /// transmission of it).
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
    /// From each probe to the next; a probe may be late by what the timer wheel allows, never
    /// early.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub spacing: Option<Duration>,
    /// When each of the first probes after zero time went out, from the last segment received
    /// before the first of them; each may be late by what the timer wheel allows, never early.
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

/// A kernel counter, `Group:Name` as `/proc/net/netstat` and `/proc/net/snmp` spell it, or a bare
/// name of `/proc/net/snmp6`.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct CounterName(pub String);

impl CounterName {
    /// Whether it counts the messages of one ICMP type: `IcmpMsg:InType3`, `Icmp6OutType136`.
    #[must_use]
    pub(crate) fn is_of_message_type(&self) -> bool {
        self.0.starts_with("IcmpMsg:")
            || ["Icmp6InType", "Icmp6OutType"]
                .iter()
                .any(|group| self.0.starts_with(group))
    }
}

impl Expectations {
    /// What one end must see, if anything is asked of it.
    #[must_use]
    pub fn end(&self, end: End) -> Option<&Expectation> {
        match end {
            End::Client => self.client.as_ref(),
            End::Server => self.server.as_ref(),
        }
    }
}

impl ProbeExpectation {
    /// Whether it comes true where no probe goes out.
    #[must_use]
    pub(crate) fn is_met_by_none(&self) -> bool {
        let counts = [self.sent, self.answered].into_iter().flatten();
        self.at.is_empty()
            && self.spacing.is_none()
            && counts.into_iter().all(|count| count.contains(0))
    }
}

impl fmt::Display for NextWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeds => f.pad("succeeds"),
            Self::Fails(errno) => errno.fmt(f),
        }
    }
}

impl fmt::Display for CounterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is to be on the wire between zero time and the end of the watch, and in the kernel at the
/// end of it; all fields optional.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceExpectation {
    /// Payload, SYN or FIN that this end sent more than once, on each connection.
    pub retransmissions: Option<CountRange>,
    /// RST that it sent, on each connection.
    pub rst_sent: Option<CountRange>,
    /// RST that it received, on each connection.
    pub rst_received: Option<CountRange>,
    /// ICMP errors about each connection that it received before the connection was given up. Only
    /// those of the case's own family.
    pub icmp: Vec<(IcmpKind, CountRange)>,
    /// Who sent all of those that it received, whatever they say, and at least one.
    pub icmp_from: Option<Node>,
    /// ARP requests or neighbour solicitations that the host sent.
    pub solicited: Option<CountRange>,
    /// ARP replies or neighbour advertisements that it received.
    pub advertised: Option<CountRange>,
    /// The timer that was armed when the error came, or at the end of the watch; of the first
    /// connection.
    pub timer: Option<ExpectedTimer>,
    /// The state after the error, or at the end of the watch; of the first connection.
    pub state: Option<TcpState>,
}

/// An ICMP message by type and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IcmpKind {
    /// ICMP (RFC 792) or ICMPv6 (RFC 4443).
    pub family: Family,
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
}

impl fmt::Display for IcmpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match icmp_name(self.family == Family::Ipv6, (self.kind, self.code)) {
            Some(name) => f.pad(name),
            None => write!(f, "type {} code {}", self.kind, self.code),
        }
    }
}

/// A timer, or that none is armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedTimer {
    /// No timer.
    None,
    /// This one.
    Armed(TimerKind),
}

impl ExpectedTimer {
    /// All that a file can ask for.
    pub const ALL: [Self; 4] = [
        Self::None,
        Self::Armed(TimerKind::On),
        Self::Armed(TimerKind::Keepalive),
        Self::Armed(TimerKind::Persist),
    ];
}

impl fmt::Display for ExpectedTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Armed(timer) => timer.fmt(f),
        }
    }
}

/// Counter to value. Names are `Group:Name` as nstat's sources spell them, and bare in `snmp6`.
pub(crate) type Counters = BTreeMap<CounterName, u64>;
