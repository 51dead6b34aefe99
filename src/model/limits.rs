//! Types for numbers that the kernel accepts. A value of such a type is always within the limits.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The maximum memory of TCP, in bytes, for the connections of one case, and also for the
/// connections of all labs together. A machine with 2 GB has this amount before TCP is under memory
/// pressure: a sixteenth of its memory (`tcp_init_mem`).
pub(crate) const TCP_MEMORY: u64 = 128 << 20;

/// A keepalive time in whole seconds, 1..=32767 (`MAX_TCP_KEEPIDLE` and `MAX_TCP_KEEPINTVL` in
/// `include/net/tcp.h`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct KeepaliveSeconds(u16);

impl KeepaliveSeconds {
    /// The largest, in seconds.
    pub(crate) const MAX: u16 = 32767;

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
    pub(crate) const fn get(self) -> u16 {
        self.0
    }

    /// The value as a duration.
    #[must_use]
    pub(crate) const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl fmt::Display for KeepaliveSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// A timeout of connection tracking in whole seconds, 1..=2147483. The kernel refuses a value of
/// more jiffies than an int can hold (`proc_dointvec_jiffies`); the maximum is valid at every tick
/// rate up to 1000 Hz.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct TrackingSeconds(u32);

impl TrackingSeconds {
    /// The largest, in seconds: 24.8 days.
    pub(crate) const MAX: u32 = 2_147_483;

    /// The kernel's default for an established flow: five days.
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

    /// The value as a duration.
    #[must_use]
    pub(crate) const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl fmt::Display for TrackingSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// The number of unanswered probes that end a connection, 1..=127 (`MAX_TCP_KEEPCNT` in
/// `include/net/tcp.h`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct ProbeCount(u8);

impl ProbeCount {
    /// The largest.
    pub(crate) const MAX: u8 = 127;

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
    pub(crate) const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for ProbeCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A buffer size that a program requests with `SO_SNDBUF` or `SO_RCVBUF`, in bytes. The kernel sets
/// twice the requested size, to account for its own overhead (`__sock_set_rcvbuf`,
/// `sk_setsockopt`). It raises requests below 2304 (`SOCK_MIN_SNDBUF`), and lowers requests above
/// 212992 unless `net.core.wmem_max` has another value.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct BufferSize(u32);

impl BufferSize {
    /// The requests that every kernel accepts unchanged.
    pub(crate) const RANGE: RangeInclusive<u64> = 2304..=212_992;

    /// `None` outside of [`Self::RANGE`].
    #[must_use]
    pub fn new(bytes: u64) -> Option<Self> {
        let within = Self::RANGE.contains(&bytes);
        u32::try_from(bytes).ok().filter(|_| within).map(Self)
    }

    /// The requested number of bytes.
    #[must_use]
    pub(crate) const fn get(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for BufferSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The time that close(2) may wait until the peer has acknowledged all data (`SO_LINGER`), in whole
/// seconds, up to an hour. With zero, close(2) does not wait: it discards unsent data and resets
/// the connection (`__tcp_close`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Linger(u16);

impl Linger {
    /// `None` if the time is not a whole number of seconds, or more than an hour.
    #[must_use]
    pub fn new(time: Duration) -> Option<Self> {
        let possible = time.subsec_nanos() == 0 && time <= Duration::from_secs(3600);
        u16::try_from(time.as_secs())
            .ok()
            .filter(|_| possible)
            .map(Self)
    }

    /// The value as a duration.
    #[must_use]
    pub(crate) const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }

    /// Whether a close resets the connection.
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

/// A range of counts with inclusive limits: `3`, `2..4`, `3..` in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CountRange {
    /// The lower limit.
    pub min: u64,
    /// The upper limit; `None`: no upper limit.
    pub max: Option<u64>,
}

impl CountRange {
    /// Whether the count is within the range.
    #[must_use]
    pub(crate) fn contains(self, count: u64) -> bool {
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

/// A percentage, 1..=100.
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
    pub(crate) fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}
