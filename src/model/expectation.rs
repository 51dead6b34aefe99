//! The expectations of each end.

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

/// The expectations of both ends. At least one is present.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Expectations {
    /// At the client.
    pub client: Option<Expectation>,
    /// At the server.
    pub server: Option<Expectation>,
}

/// The expectations of one end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expectation {
    /// Line (from 1) in the file, for messages.
    pub line: usize,
    /// The lines of its keys, such as `error` and `probes.sent`.
    pub lines: BTreeMap<String, usize>,
    /// The places of its values in the file, for messages.
    pub places: Places,
    /// The outcome itself.
    pub outcome: ExpectedOutcome,
    /// The error that the application sees according to TCP/IP Illustrated, if Linux differs. It is
    /// shown, but never judged.
    pub textbook: Option<ErrnoName>,
    /// A window that the file states. It replaces the window of the oracle.
    pub within: Option<StatedWindow>,
    /// Keepalive probes that this end sent, counted from zero time.
    pub probes: ProbeExpectation,
    /// Probes into a closed window that this end sent, counted from zero time.
    pub window_probes: WindowProbeExpectation,
    /// Other expectations of the captured frames, and of the kernel's state.
    pub evidence: EvidenceExpectation,
    /// Counters of this end's namespace (`TcpExt:OutOfWindowIcmps`): the increase of each since
    /// zero time.
    pub counters: Vec<(CounterName, CountRange)>,
    /// The exact set of events that poll(2) returns for the socket at the outcome. It is not
    /// checked if it is empty.
    pub poll: Vec<PollEvent>,
    /// The result of a write after the outcome.
    pub next_write: Option<NextWrite>,
    /// After the outcome, this end's open descriptors are back at the number from before the
    /// connections were opened.
    pub descriptors_return: bool,
}

impl Expectation {
    /// The line of a key; if unknown, the line of its table; if unknown, the line of the
    /// expectation.
    #[must_use]
    pub(crate) fn line_of(&self, key: &str) -> usize {
        let of = |key: &str| self.lines.get(key).copied();
        let table = || of(key.split('.').next().unwrap_or(key));
        of(key).or_else(table).unwrap_or(self.line)
    }

    /// Whether it has an expectation that only captured frames can prove.
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
    /// Nothing is reported for this long after zero time. Whether data would still arrive is not
    /// checked.
    Open(#[serde_as(as = "DurationNanoSeconds<u64>")] Duration),
}

impl ExpectedOutcome {
    /// The key of this outcome in a file.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Error(_) => "error",
            Self::EndOfFile => "eof",
            Self::Survives(_) => "survives",
            Self::Open(_) => "open",
        }
    }

    /// The end of the connection that the application is expected to see; `None` if the connection
    /// stays open.
    #[must_use]
    pub(crate) fn ended(self) -> Option<Ended> {
        match self {
            Self::Error(errno) => Some(Ended::Error(errno)),
            Self::EndOfFile => Some(Ended::EndOfFile),
            Self::Survives(_) | Self::Open(_) => None,
        }
    }

    /// The time for which the connection is expected to stay open; `None` if it is expected to end.
    #[must_use]
    pub fn lasts(self) -> Option<Duration> {
        match self {
            Self::Error(_) | Self::EndOfFile => None,
            Self::Survives(time) | Self::Open(time) => Some(time),
        }
    }
}

/// The result of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextWrite {
    /// The kernel takes the bytes.
    Succeeds,
    /// It returns this error.
    Fails(ErrnoName),
}

/// A window that the file states. Both limits are inclusive.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatedWindow {
    /// The earliest time.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub from: Duration,
    /// The latest time.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub to: Duration,
    /// The origin of both times.
    pub since: Since,
}

/// The origin of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// Zero time: the moment at which the step of the first fault began, or, in a case without a
    /// fault, the end of the last step.
    Fault,
    /// The last segment that this end received before the outcome. If data is in flight, the first
    /// transmission of that data.
    Activity,
}

/// Expectations of keepalive probes. All fields are optional.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ProbeExpectation {
    /// The number of probes sent.
    pub sent: Option<CountRange>,
    /// The number of probes that the peer answered with a segment other than a RST.
    pub answered: Option<CountRange>,
    /// The interval from each probe to the next. A probe may be late by the granularity of the
    /// timer wheel; it may be early by no more than one jiffy.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub spacing: Option<Duration>,
    /// The times of the first probes after zero time, counted from the last segment received before
    /// the first of them. A probe may be late by the granularity of the timer wheel; it may be
    /// early by no more than one jiffy.
    #[serde_as(as = "Vec<DurationNanoSeconds<u64>>")]
    pub at: Vec<Duration>,
}

/// Expectations of probes into a closed window. All fields are optional.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WindowProbeExpectation {
    /// The number of probes sent.
    pub sent: Option<CountRange>,
    /// The number of probes that the peer answered with a bare acknowledgement.
    pub answered: Option<CountRange>,
}

/// The name of a kernel counter: `Group:Name` for `/proc/net/netstat` and `/proc/net/snmp`, or a
/// bare name for `/proc/net/snmp6`.
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
    /// The expectations of one end, if it has any.
    #[must_use]
    pub fn end(&self, end: End) -> Option<&Expectation> {
        match end {
            End::Client => self.client.as_ref(),
            End::Server => self.server.as_ref(),
        }
    }
}

impl ProbeExpectation {
    /// Whether the expectation is met if no probe is sent.
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

/// Expectations of the frames between zero time and the end of the watch, and of the kernel's state
/// at the end of the watch. All fields are optional.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceExpectation {
    /// The number of retransmissions of payload, SYN or FIN by this end, for each connection.
    pub retransmissions: Option<CountRange>,
    /// The number of RST segments sent, for each connection.
    pub rst_sent: Option<CountRange>,
    /// The number of RST segments received, for each connection.
    pub rst_received: Option<CountRange>,
    /// The number of ICMP errors of each kind that quote the connection and that were received
    /// before the connection was given up, for each connection. Only kinds of the case's own family
    /// are checked.
    pub icmp: Vec<(IcmpKind, CountRange)>,
    /// The node that sent all received ICMP errors of any kind. At least one must be received.
    pub icmp_from: Option<Node>,
    /// The number of ARP requests or neighbour solicitations that the host sent.
    pub solicited: Option<CountRange>,
    /// The number of ARP replies or neighbour advertisements that the host received.
    pub advertised: Option<CountRange>,
    /// The timer of the first connection that was armed when the error occurred, or at the end of
    /// the watch.
    pub timer: Option<ExpectedTimer>,
    /// The state of the first connection after the error, or at the end of the watch.
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

/// The expected timer of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedTimer {
    /// No timer is armed.
    None,
    /// This timer is armed.
    Armed(TimerKind),
}

impl ExpectedTimer {
    /// All values that a file can have.
    pub(crate) const ALL: [Self; 4] = [
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

/// The value of each counter. Names are `Group:Name` for the counters of `/proc/net/netstat` and
/// `/proc/net/snmp`, and bare for those of `snmp6`.
pub(crate) type Counters = BTreeMap<CounterName, u64>;
