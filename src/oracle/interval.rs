//! A length of time that is known only between two ends.

use std::ops::Add;
use std::time::Duration;

/// A time between `min` and `max`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interval {
    /// Not less.
    pub min: Duration,
    /// Not more; at least `min`.
    pub max: Duration,
}

impl Interval {
    /// From two ends, `min` first.
    #[must_use]
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max }
    }

    /// A time that is known exactly.
    #[must_use]
    pub(crate) const fn exactly(time: Duration) -> Self {
        Self::new(time, time)
    }

    /// From nothing up to `max`.
    #[must_use]
    pub(crate) const fn up_to(max: Duration) -> Self {
        Self::new(Duration::ZERO, max)
    }

    /// The same, with an upper end that lies `late` later.
    #[must_use]
    pub(crate) fn late_by(self, late: Duration) -> Self {
        Self::new(self.min, self.max + late)
    }

    /// How long after `earlier`; nothing where the two overlap.
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
