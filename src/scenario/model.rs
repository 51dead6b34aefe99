//! The checked scenario: what a file means once it has been found to be valid.
//!
//! Every type here makes an illegal state unrepresentable (a probe count is 1..=127, an interval is a whole number of seconds that
//! the kernel takes), so nothing behind this module validates again.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

pub use super::evidence::{EvidenceExpectation, ExpectedTimer, IcmpKind};
use super::limits::{
    BufferSize, CountRange, KeepaliveSeconds, Linger, ProbeCount, TrackingSeconds,
};
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
pub use super::topology::{Link, Machine, Preset, Role, Topology};
use crate::endpoint::Ended;
pub use crate::endpoint::PollEvent;
use crate::errno::ErrnoName;

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

/// One run: one topology, one family, one list of steps, one verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// `file-stem/case/family`, or `file-stem/family` where the file has no `[[case]]`.
    pub id: CaseId,
    /// Line (from 1) in the file where the case begins, for messages.
    pub line: usize,
    /// Where this case differs from another and why, in the author's words.
    pub note: Option<String>,
    /// Where it can run.
    pub clock: Clock,
    /// IPv4 or IPv6.
    pub family: Family,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// RFC 791.
    Ipv4,
    /// RFC 8200.
    Ipv6,
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

/// One thing that is done to the connection or its network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// When, counted from the end of the step before (or from the established connection).
    pub start: Start,
    /// What.
    pub action: Action,
    /// Line (from 1) in the file, for messages.
    pub line: usize,
}

/// When a step is due.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// As soon as the step before is done.
    AtOnce,
    /// This long after the step before is done.
    After(#[serde_as(as = "DurationNanoSeconds<u64>")] Duration),
    /// Once the observed end has seen this many keepalive probes since the step before was done.
    When {
        /// At least 1.
        count: u32,
        /// Sent, or sent and answered.
        what: ProbeEvent,
    },
}

/// What happened to a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeEvent {
    /// It went out.
    Sent,
    /// Its answer came in.
    Answered,
}

/// What a step does.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The client connects, once for each connection. Without this step it has done so before the first.
    Connect,
    /// `from` sends the payload on every connection; the other end sends it back.
    Exchange {
        /// Who speaks first.
        from: End,
        /// What is said; 1..=65536 bytes.
        payload: Vec<u8>,
    },
    /// `from` writes until the kernel takes no more: the peer's window is full, and so is the send buffer.
    Fill {
        /// Who writes.
        from: End,
    },
    /// `from` writes this many bytes on every connection and does not wait for anything.
    Send {
        /// Who writes.
        from: End,
        /// 1..=65536.
        bytes: u32,
    },
    /// The cable of a host is pulled or plugged in again.
    Cable {
        /// Whose cable: the client's or the server's.
        at: End,
        /// Pulled or plugged.
        change: CableChange,
    },
    /// A machine's interface on one of its links goes down or comes up; the other end of the link loses its carrier with it.
    Link {
        /// Whose interface.
        at: Node,
        /// The machine across.
        to: Node,
        /// Down or up.
        change: CableChange,
    },
    /// The host falls silent in both directions with its carrier up, and forgets nothing.
    Crash {
        /// Which host.
        host: End,
    },
    /// A host that crashed goes on as if nothing had happened.
    Resume {
        /// Which host.
        host: End,
    },
    /// The host falls silent, loses all its sockets without a FIN or RST escaping, and is back with the same IP address later.
    Reboot {
        /// Which host.
        host: End,
        /// How long it is gone; may be zero.
        #[serde_as(as = "DurationNanoSeconds<u64>")]
        downtime: Duration,
        /// Its hardware address then.
        mac: HardwareAddress,
    },
    /// A route to one end's network changes.
    Route {
        /// On which node; never a switch.
        on: Node,
        /// Towards which end; never `on` itself.
        to: End,
        /// How.
        change: RouteChange,
    },
    /// Something becomes of the network itself.
    Network(NetworkStep),
    /// A box between the hosts does something to their packets.
    Middlebox(Middlebox),
    /// Something becomes of the program at one end.
    Program(ProgramStep),
    /// Something becomes of the server's listening socket.
    Listener(ListenerStep),
}

/// What happens to a cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CableChange {
    /// Carrier lost.
    Pull,
    /// Carrier back.
    Plug,
}

/// What happens to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteChange {
    /// Removed: the lookup finds nothing.
    Delete,
    /// Replaced by an `unreachable` route.
    Unreachable,
    /// Replaced by a `prohibit` route.
    Prohibit,
    /// Replaced by a `blackhole` route.
    Blackhole,
    /// Replaced by one over this router.
    Via(Node),
    /// The original is back.
    Restore,
}

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
