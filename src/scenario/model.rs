//! The checked scenario: what a file means once it has been found to be valid.
//!
//! Every type here makes an illegal state unrepresentable (a probe count is 1..=127, an interval is a whole number of seconds that
//! the kernel takes), so nothing behind this module validates again.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

pub use super::evidence::{EvidenceExpectation, ExpectedTimer, IcmpKind};
pub use super::expectation::{
    CounterName, Expectation, Expectations, ExpectedOutcome, NextWrite, Places, ProbeExpectation,
    Since, StatedWindow, WindowProbeExpectation,
};
use super::limits::{BufferSize, KeepaliveSeconds, Linger, ProbeCount, TrackingSeconds};
pub use super::listener::{ListenerAct, ListenerStep};
pub use super::middlebox::{
    DRAWN, Filter, FilterVerdict, LARGEST_MTU, Loss, Middlebox, Segments, Unreachable, Which,
};
pub use super::network::{
    AddressChange, Delay, Flapping, HardwareAddress, Impairment, NeighbourChange, NetworkStep,
    Percent,
};
pub use super::node::Node;
pub use super::program::{Act, ProgramStep};
pub use super::stack::Stack;
pub use super::step::{Action, CableChange, ProbeEvent, RouteChange, Start, Step};
pub use super::topology::{Link, Machine, Preset, Role, Topology};
pub use crate::endpoint::PollEvent;

/// One scenario file: its cases, expanded by address family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// The file, as the user named it.
    pub path: PathBuf,
    /// What it says, for messages that point into it.
    pub text: String,
    /// One line: what a person learns from it.
    pub summary: String,
    /// Where the claim comes from (a book's chapter, an RFC, an issue).
    pub source: Option<String>,
    /// At least one; names are unique within the file.
    pub cases: Vec<Case>,
}

/// One verdict: one topology, one family, one list of steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// `file-stem/case/family`, or `file-stem/family` where the file has no `[[case]]`; `dual-ipv6` in a network that carries both.
    pub id: CaseId,
    /// Line (from 1) in the file where the case begins, for messages.
    pub line: usize,
    /// Where this case differs from another and why, in the author's words.
    pub note: Option<String>,
    /// Where it can run.
    pub clock: Clock,
    /// What the connection runs over: IPv4 or IPv6.
    pub family: Family,
    /// Whether its network carries that alone.
    #[serde(default)]
    pub stack: Stack,
    /// The network that is built.
    pub topology: Topology,
    /// What a router lets through; only where the topology has one.
    pub firewall: Option<Firewall>,
    /// Settings of the machines between the ends.
    pub sysctl: Vec<NodeSysctls>,
    /// The connection that is opened across it.
    pub connection: Connection,
    /// What happens to it, in order.
    pub steps: Vec<Step>,
    /// What must come out.
    pub expect: Expectations,
}

/// A case's name within everything that a run loads.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct CaseId(pub String);

/// Whose time a case can be run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The clock on the wall, or a guest's.
    Any,
    /// The clock on the wall as well, by who has the time: what takes longer than about 20 s.
    Slow,
    /// Only one that leaps over idle hours.
    Virtual,
}

/// The Internet protocol that carries the connection.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// RFC 791.
    Ipv4,
    /// RFC 8200.
    Ipv6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Ipv4 => Self::Ipv6,
            Self::Ipv6 => Self::Ipv4,
        }
    }
}

/// A stateful filter on a router: it forwards what belongs to a flow that its connection tracking knows and what begins one, and drops
/// all else in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Firewall {
    /// Which router.
    pub on: Node,
    /// `net.netfilter.nf_conntrack_tcp_timeout_established`: how long an idle flow is known.
    pub established: TrackingSeconds,
    /// `net.netfilter.nf_conntrack_tcp_loose`: whether a segment from the middle of a flow that it does not know begins one.
    pub loose: bool,
    /// Whether what it forwards towards the server gets its own address there (masquerade). The server knows no way to the client's.
    pub nat: bool,
}

impl Firewall {
    /// With the kernel's own settings: five days (`tcp_timeouts` in `net/netfilter/nf_conntrack_proto_tcp.c`), and loose
    /// (`nf_conntrack_tcp_init_net`).
    #[must_use]
    pub fn new(on: Node) -> Self {
        Self {
            on,
            established: TrackingSeconds::DEFAULT,
            loose: true,
            nat: false,
        }
    }
}

/// One end of the connection.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The end that called `connect`.
    Client,
    /// The end that called `accept`.
    Server,
}

/// The connection (or, for `count` above one, the identical connections) under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// How many connections the client opens: 1..=1000.
    pub count: u16,
    /// Settings of the client's sockets.
    pub client: EndSettings,
    /// Settings of the server's sockets.
    pub server: EndSettings,
}

/// What is set on one end.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct EndSettings {
    /// `SO_KEEPALIVE` and its numbers; `None` leaves it off.
    pub keepalive: Option<Keepalive>,
    /// `TCP_USER_TIMEOUT` (RFC 5482), whole milliseconds.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub user_timeout: Option<Duration>,
    /// `TCP_SYNCNT`: how often a SYN is repeated, 1..=127 (`MAX_TCP_SYNCNT`).
    pub syn_retries: Option<u8>,
    /// `TCP_RTO_MAX_MS`, 1 s to 120 s (`do_tcp_setsockopt`); since Linux 6.15.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub rto_max: Option<Duration>,
    /// `IP_RECVERR` or `IPV6_RECVERR`: ICMP errors are reported at once.
    pub recverr: bool,
    /// `TCP_NODELAY` off: a small write waits until what is in flight is acknowledged (RFC 896).
    pub nagle: bool,
    /// `SO_SNDBUF`.
    pub send_buffer: Option<BufferSize>,
    /// `SO_RCVBUF`.
    pub receive_buffer: Option<BufferSize>,
    /// `SO_LINGER`, whole seconds, for when the program closes its socket.
    pub linger: Option<Linger>,
    /// Sysctls of the host's namespace.
    pub sysctl: Vec<Sysctl>,
}

/// A setting of a host's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sysctl {
    /// As sysctl(8) spells it: `net.ipv4.tcp_retries2`.
    pub name: String,
    /// What is written.
    pub value: String,
}

/// Settings of one machine's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeSysctls {
    /// Whose; neither end's, which have theirs in the connection's settings.
    pub node: Node,
    /// The settings.
    pub sysctl: Vec<Sysctl>,
}

impl Sysctl {
    /// Below `/proc/sys/net`.
    #[must_use]
    pub fn path(&self) -> String {
        let below = self.name.strip_prefix("net.").unwrap_or(&self.name);
        below.replace('.', "/")
    }
}

/// The three ways of setting keepalive that programs use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keepalive {
    /// `TCP_KEEPIDLE`, `TCP_KEEPINTVL`, `TCP_KEEPCNT`; what is `None` stays at the namespace's sysctl.
    Options {
        /// `TCP_KEEPIDLE`.
        idle: Option<KeepaliveSeconds>,
        /// `TCP_KEEPINTVL`.
        interval: Option<KeepaliveSeconds>,
        /// `TCP_KEEPCNT`.
        probes: Option<ProbeCount>,
    },
    /// Only `SO_KEEPALIVE` on the socket; the namespace's `net.ipv4.tcp_keepalive_*` decide. `None` leaves the kernel's default.
    Sysctl {
        /// `net.ipv4.tcp_keepalive_time`, 7200 s by default.
        time: Option<KeepaliveSeconds>,
        /// `net.ipv4.tcp_keepalive_intvl`, 75 s by default.
        intvl: Option<KeepaliveSeconds>,
        /// `net.ipv4.tcp_keepalive_probes`, 9 by default.
        probes: Option<ProbeCount>,
    },
    /// The common recipe that derives all three from one time T: idle T, interval T/3 (whole seconds, rounded down), 3 probes.
    /// T is at least 3 s.
    Time(KeepaliveSeconds),
}
