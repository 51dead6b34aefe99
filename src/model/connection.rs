//! The connection under test: its ports, and the settings of its ends.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use super::end::End;
use super::limits::{BufferSize, KeepaliveSeconds, Linger, ProbeCount};
use super::node::Node;

/// The port that the server listens on.
pub const SERVER_PORT: u16 = 7777;

/// The port of the client's first connection. Further connections use the following ports.
pub const CLIENT_PORT: u16 = 40_000;

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

/// The settings of one end: of its sockets and of its host.
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
    /// `TCP_NODELAY` is off: a small write waits until the data in flight is acknowledged (RFC
    /// 896).
    pub nagle: bool,
    /// `SO_SNDBUF`.
    pub send_buffer: Option<BufferSize>,
    /// `SO_RCVBUF`.
    pub receive_buffer: Option<BufferSize>,
    /// `SO_LINGER`, whole seconds. It takes effect when the program closes its socket.
    pub linger: Option<Linger>,
    /// Sysctls of the host's namespace.
    pub sysctl: Vec<Sysctl>,
}

/// A setting of a host's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sysctl {
    /// The name, as in sysctl(8): `net.ipv4.tcp_retries2`.
    pub name: String,
    /// The value to write.
    pub value: String,
}

/// Settings of one machine's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeSysctls {
    /// The machine. It is not an end: the settings of an end's host are in [`EndSettings`].
    pub node: Node,
    /// The settings.
    pub sysctl: Vec<Sysctl>,
}

impl Sysctl {
    /// The path of the setting below `/proc/sys/net`.
    #[must_use]
    pub(crate) fn path(&self) -> String {
        let below = self.name.strip_prefix("net.").unwrap_or(&self.name);
        below.replace('.', "/")
    }
}

/// The three ways of setting keepalive that programs use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keepalive {
    /// `TCP_KEEPIDLE`, `TCP_KEEPINTVL`, `TCP_KEEPCNT`. For `None`, the sysctl of the namespace
    /// applies.
    Options {
        /// `TCP_KEEPIDLE`.
        idle: Option<KeepaliveSeconds>,
        /// `TCP_KEEPINTVL`.
        interval: Option<KeepaliveSeconds>,
        /// `TCP_KEEPCNT`.
        probes: Option<ProbeCount>,
    },
    /// Only `SO_KEEPALIVE` on the socket; the namespace's `net.ipv4.tcp_keepalive_*` apply. `None`
    /// leaves the kernel's default.
    Sysctl {
        /// `net.ipv4.tcp_keepalive_time`, 7200 s by default.
        time: Option<KeepaliveSeconds>,
        /// `net.ipv4.tcp_keepalive_intvl`, 75 s by default.
        intvl: Option<KeepaliveSeconds>,
        /// `net.ipv4.tcp_keepalive_probes`, 9 by default.
        probes: Option<ProbeCount>,
    },
    /// The common recipe that derives all three from one time T: idle T, interval T/3 (whole
    /// seconds, rounded down), 3 probes. T is at least 3 s.
    Time(KeepaliveSeconds),
}

impl EndSettings {
    /// The number of unanswered probes that end the connection. `None` without keepalive, and if a
    /// user timeout or a sysctl is set, which may change that number.
    #[must_use]
    pub(crate) fn unanswered_probes(&self) -> Option<u32> {
        let decides = self.user_timeout.is_none() && self.sysctl.is_empty();
        let keepalive = self.keepalive.filter(|_| decides)?;
        Some(EffectiveKeepalive::new(keepalive).probes)
    }
}

impl Connection {
    /// The end whose probes a step waits for: the client if it has keepalive, otherwise the server
    /// if it has keepalive.
    #[must_use]
    pub fn observed_end(&self) -> Option<End> {
        let ends = [End::Client, End::Server];
        ends.into_iter()
            .find(|end| self.end(*end).keepalive.is_some())
    }

    /// The settings of one end, mutable.
    pub(crate) fn end_mut(&mut self, end: End) -> &mut EndSettings {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }

    /// The settings of one end.
    #[must_use]
    pub fn end(&self, end: End) -> &EndSettings {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }
}

/// The effective keepalive parameters, independent of the way in which they were set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EffectiveKeepalive {
    /// The idle time before the first probe; whole seconds, 1..=32767.
    pub(crate) idle: Duration,
    /// The interval between probes; whole seconds, 1..=32767.
    pub(crate) interval: Duration,
    /// Unanswered probes that end the connection, 1..=127.
    pub(crate) probes: u32,
}

impl EffectiveKeepalive {
    /// The parameters of this setting. The defaults are 7200 s, 75 s and 9 (`TCP_KEEPALIVE_TIME`,
    /// `TCP_KEEPALIVE_INTVL`, `TCP_KEEPALIVE_PROBES` in `include/net/tcp.h`).
    #[must_use]
    pub(crate) fn new(keepalive: Keepalive) -> Self {
        let (idle, interval, probes) = match keepalive {
            Keepalive::Options {
                idle,
                interval,
                probes,
            } => (idle, interval, probes),
            Keepalive::Sysctl {
                time,
                intvl,
                probes,
            } => (time, intvl, probes),
            Keepalive::Time(time) => {
                return Self {
                    idle: time.duration(),
                    interval: Duration::from_secs(u64::from(time.get() / 3)),
                    probes: 3,
                };
            }
        };
        Self {
            idle: idle.map_or(Duration::from_secs(7200), |idle| idle.duration()),
            interval: interval.map_or(Duration::from_secs(75), |interval| interval.duration()),
            probes: probes.map_or(9, |probes| u32::from(probes.get())),
        }
    }
}
