//! The kernel's two clocks: the nanoseconds of `ktime_get`, and the ticks that they fall into.

use std::time::Duration;

use crate::model::Hz;

/// Nanoseconds since the kernel has booted.
pub(super) type Nanos = u64;

/// Ticks since the kernel has booted.
pub(super) type Jiffies = u64;

/// `INITIAL_JIFFIES` (`include/linux/jiffies.h`): the counter starts five minutes before it wraps
/// around. What the timer wheel rounds is the counter.
const WRAP: u64 = 1 << 32;
const BEFORE_WRAP: u64 = 300;

const SECOND: u128 = 1_000_000_000;

/// The tick of one kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    hz: Hz,
    /// The value of the counter at boot.
    initial: u64,
}

impl Clock {
    pub(super) fn new(hz: Hz) -> Self {
        let initial = WRAP - BEFORE_WRAP * u64::from(hz.get());
        Self { hz, initial }
    }

    /// The tick that this moment lies in.
    pub(super) fn jiffies(self, at: Nanos) -> Jiffies {
        let ticks = u128::from(at) * u128::from(self.hz.get()) / SECOND;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// The beginning of a tick.
    pub(super) fn start(self, jiffies: Jiffies) -> Nanos {
        let nanos = (u128::from(jiffies) * SECOND).div_ceil(u128::from(self.hz.get()));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// A time in ticks, rounded up (`msecs_to_jiffies`).
    pub(super) fn ticks(self, time: Duration) -> Jiffies {
        self.hz.jiffies(time)
    }

    /// A time in microseconds, in ticks, rounded up (`usecs_to_jiffies`).
    pub(super) fn ticks_of_micros(self, micros: u64) -> Jiffies {
        self.hz.jiffies(Duration::from_micros(micros))
    }

    /// Ticks in microseconds (`jiffies_to_usecs`).
    pub(super) fn micros(self, ticks: Jiffies) -> u64 {
        let micros = self.hz.time(ticks).as_micros();
        u64::try_from(micros).unwrap_or(u64::MAX)
    }

    /// Ticks in milliseconds (`jiffies_to_msecs`).
    pub(super) fn millis(self, ticks: Jiffies) -> u64 {
        self.micros(ticks) / 1000
    }

    /// The tick in which a timer fires that is to expire at `expires`, armed while the wheel's own
    /// clock (`timer_base.clk`) stands at `base` (`calc_wheel_index`, `kernel/time/timer.c`).
    pub(super) fn expiry(self, expires: Jiffies, base: Jiffies) -> Jiffies {
        /// `LVL_CLK_SHIFT`, `LVL_DEPTH`.
        const SHIFT: u32 = 3;
        const LEVELS: u32 = 9;
        let Some(delta) = expires.checked_sub(base) else {
            return base;
        };
        let level = (1..LEVELS)
            .take_while(|level| delta >= 63 << (SHIFT * (level - 1)))
            .count();
        let shift = SHIFT * u32::try_from(level).unwrap_or(LEVELS);
        ((((expires + self.initial) >> shift) + 1) << shift) - self.initial
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_fires_at_the_first_bucket_after_its_expiry() {
        let clock = Clock::new(Hz::new(250).unwrap());
        // The counter of ticks is a multiple of 8 here.
        assert_eq!(clock.expiry(1000 + 50, 1000), 1051);
        assert_eq!(clock.expiry(1000 + 250, 1000), 1256);
        assert_eq!(clock.expiry(1006 + 250, 1006), 1264);
        assert_eq!(clock.expiry(5, 10), 10);
    }

    #[test]
    fn moments_and_ticks_agree() {
        for hz in [100, 250, 300, 1000] {
            let clock = Clock::new(Hz::new(hz).unwrap());
            for tick in [0, 1, 7, 299, 12_345] {
                assert_eq!(clock.jiffies(clock.start(tick)), tick, "HZ={hz}");
                assert_eq!(clock.jiffies(clock.start(tick + 1) - 1), tick, "HZ={hz}");
            }
        }
    }
}
