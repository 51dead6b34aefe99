//! The numbers that the kernel takes, as types: a value of one of these is within its limits.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the connections of a case may take of TCP's memory, in bytes, and what those of all labs at
/// once may take: no more than a machine with 2 GB has for all its programs before it is under
/// pressure (a sixteenth, `tcp_init_mem`).
pub(crate) const TCP_MEMORY: u64 = 128 << 20;

/// A keepalive time in whole seconds, 1..=32767 (`MAX_TCP_KEEPIDLE` and `MAX_TCP_KEEPINTVL` in
/// `include/net/tcp.h`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct KeepaliveSeconds(u16);

impl KeepaliveSeconds {
    /// The largest, in seconds.
    pub const MAX: u16 = 32767;

    /// `None` outside 1..=32767.
    #[must_use]
    pub const fn new(seconds: u64) -> Option<Self> {
        if seconds >= 1 && seconds <= Self::MAX as u64 {
            Some(Self(seconds as u16))
        } else {
            None
        }
    }

    /// The number of seconds.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The same as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl fmt::Display for KeepaliveSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// A timeout of connection tracking in whole seconds, 1..=2147483: more jiffies than an int holds
/// are refused (`proc_dointvec_jiffies`), and that many are few enough at every tick up to 1000 Hz.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct TrackingSeconds(u32);

impl TrackingSeconds {
    /// The largest, in seconds: 24.8 days.
    pub const MAX: u32 = 2_147_483;

    /// The kernel's own for an established flow: five days.
    pub(crate) const DEFAULT: Self = Self(432_000);

    /// `None` outside 1..=2147483.
    #[must_use]
    pub const fn new(seconds: u64) -> Option<Self> {
        if seconds >= 1 && seconds <= Self::MAX as u64 {
            Some(Self(seconds as u32))
        } else {
            None
        }
    }

    /// The same as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl fmt::Display for TrackingSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// How many unanswered probes end a connection, 1..=127 (`MAX_TCP_KEEPCNT` in `include/net/tcp.h`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct ProbeCount(u8);

impl ProbeCount {
    /// The largest.
    pub const MAX: u8 = 127;

    /// `None` outside 1..=127.
    #[must_use]
    pub const fn new(count: u64) -> Option<Self> {
        if count >= 1 && count <= Self::MAX as u64 {
            Some(Self(count as u8))
        } else {
            None
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for ProbeCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a program asks for with `SO_SNDBUF` or `SO_RCVBUF`, in bytes. The kernel takes twice as
/// much, for what it adds to the data itself (`__sock_set_rcvbuf`, `sk_setsockopt`); asked for less
/// than 2304 it takes more than that (`SOCK_MIN_SNDBUF`), and asked for more than 212992 it takes
/// less, unless `net.core.wmem_max` says otherwise.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct BufferSize(u32);

impl BufferSize {
    /// What every kernel takes as it is.
    pub(crate) const RANGE: RangeInclusive<u64> = 2304..=212_992;

    /// `None` outside of [`Self::RANGE`].
    #[must_use]
    pub fn new(bytes: u64) -> Option<Self> {
        let within = Self::RANGE.contains(&bytes);
        u32::try_from(bytes).ok().filter(|_| within).map(Self)
    }

    /// The number of bytes that is asked for.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for BufferSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long close(2) may wait for the peer to have everything (`SO_LINGER`), whole seconds, up to
/// an hour. With zero it does not wait, but throws away what is not sent and resets the connection
/// (`__tcp_close`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Linger(u16);

impl Linger {
    /// `None` for what is no whole number of seconds, or more than an hour.
    #[must_use]
    pub fn new(time: Duration) -> Option<Self> {
        let possible = time.subsec_nanos() == 0 && time <= Duration::from_secs(3600);
        u16::try_from(time.as_secs())
            .ok()
            .filter(|_| possible)
            .map(Self)
    }

    /// The same as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }

    /// Whether it makes a close a reset.
    #[must_use]
    pub(crate) const fn resets(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Linger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// A range of counts, both ends included: `3`, `2..4`, `3..` in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CountRange {
    /// At least.
    pub min: u64,
    /// At most; `None` has no upper end.
    pub max: Option<u64>,
}

impl CountRange {
    /// Whether the count lies within.
    #[must_use]
    pub fn contains(self, count: u64) -> bool {
        count >= self.min && self.max.is_none_or(|max| count <= max)
    }
}

impl fmt::Display for CountRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max {
            Some(max) if max == self.min => write!(f, "{max}"),
            Some(max) => write!(f, "{}..{max}", self.min),
            None => write!(f, "{}..", self.min),
        }
    }
}

/// 1..=100 of a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Percent(u8);

impl Percent {
    /// `None` outside 1..=100.
    #[must_use]
    pub fn new(percent: u8) -> Option<Self> {
        (1..=100).contains(&percent).then_some(Self(percent))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}
