//! What a file may ask of the evidence at one end, besides probes and counters.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::CountRange;
use super::model::{Family, Node};
use crate::evidence::{TcpState, TimerKind};
use crate::wire;

/// What is to be on the wire between zero time and the end of the watch, and in the kernel at the end of it; all fields optional.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceExpectation {
    /// Payload, SYN or FIN that this end sent more than once, on each connection.
    pub retransmissions: Option<CountRange>,
    /// RST that it sent, on each connection.
    pub rst_sent: Option<CountRange>,
    /// RST that it received, on each connection.
    pub rst_received: Option<CountRange>,
    /// ICMP errors about each connection that it received before the connection was given up. Only those of the case's own family.
    pub icmp: Vec<(IcmpKind, CountRange)>,
    /// Who sent all of those that it received, whatever they say, and at least one.
    pub icmp_from: Option<Node>,
    /// ARP requests or neighbour solicitations that the host sent.
    pub solicited: Option<CountRange>,
    /// ARP replies or neighbour advertisements that it received.
    pub advertised: Option<CountRange>,
    /// The timer that was armed when the error came, or at the end of the watch; of the first connection.
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
        match wire::icmp_name(self.family == Family::Ipv6, (self.kind, self.code)) {
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
