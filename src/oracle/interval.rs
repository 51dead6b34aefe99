//! A duration that is only known to lie between two bounds.

use std::ops::Add;
use std::time::Duration;

/// A duration between `min` and `max`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interval {
    /// The lower bound.
    pub(crate) min: Duration,
    /// The upper bound; at least `min`.
    pub(crate) max: Duration,
}

impl Interval {
    /// Makes an interval from its bounds; `min` must not exceed `max`.
    #[must_use]
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max }
    }

    /// An exactly known duration.
    #[must_use]
    pub(crate) const fn exactly(time: Duration) -> Self {
        Self::new(time, time)
    }

    /// An interval from zero to `max`.
    #[must_use]
    pub(crate) const fn up_to(max: Duration) -> Self {
        Self::new(Duration::ZERO, max)
    }

    /// The same interval, with its upper bound increased by `late`.
    #[must_use]
    pub(crate) fn late_by(self, late: Duration) -> Self {
        Self::new(self.min, self.max + late)
    }

    /// The time from `earlier` to this one; zero if the two overlap.
    #[must_use]
    pub(crate) fn after(self, earlier: Self) -> Self {
        Self::new(
            self.min.saturating_sub(earlier.max),
            self.max.saturating_sub(earlier.min),
        )
    }
}

impl Add for Interval {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.min + other.min, self.max + other.max)
    }
}
