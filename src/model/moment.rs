//! An instant on `CLOCK_MONOTONIC`, the only clock that measures a run.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nanoseconds on `CLOCK_MONOTONIC`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Moment(u64);

impl Moment {
    /// The current time.
    #[must_use]
    pub fn now() -> Self {
        Self(nanoseconds(ClockId::CLOCK_MONOTONIC))
    }

    /// From nanoseconds on `CLOCK_MONOTONIC`.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds on `CLOCK_MONOTONIC`.
    #[must_use]
    pub(crate) const fn nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this moment; zero if this moment is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment that is `duration` before this one.
    #[must_use]
    pub(crate) fn before(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
    }

    /// The time from now to this moment; zero if it has passed.
    #[must_use]
    pub(crate) fn remaining(self) -> Duration {
        self.since(Self::now())
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

/// The time of a clock in nanoseconds. On Linux, the clocks used here cannot fail, and their times
/// are not negative; in either case the result would be zero.
pub(crate) fn nanoseconds(clock: ClockId) -> u64 {
    clock_gettime(clock)
        .ok()
        .and_then(|time| u64::try_from(Duration::from(time).as_nanos()).ok())
        .unwrap_or_default()
}
