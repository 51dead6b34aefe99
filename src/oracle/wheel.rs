//! The kernel's timer wheel: how late a timer fires.
//!
//! *Why never early?* A timer that is armed for `delay` jiffies at any moment within jiffy `j` expires at `e = j + delay`, and
//! `calc_index` (`kernel/time/timer.c`) puts it into the bucket that begins at the first multiple of the level's granularity
//! *after* `e`: at `e + 1` at the earliest. The moment of arming lies less than one jiffy after the beginning of `j`, so the
//! time that truly passes is more than `delay`.
//!
//! *Why at most one bucket late?* The bucket begins at `e + granularity` at the latest, and the moment of arming lies no earlier
//! than the beginning of `j`; the partial jiffy is thus already inside the bucket.
//!
//! What is late beyond that is the machine (a busy processor, a socket that its program holds: `HZ / 20` more in
//! `tcp_keepalive_timer`), and no rule of the oracle.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many times a second the kernel's clock ticks (`CONFIG_HZ`), 1..=10000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hz(NonZeroU32);

impl Hz {
    /// The coarsest that distributions and user-mode Linux ship (100): timers are latest.
    pub const COARSEST: Self = Self(NonZeroU32::MIN.saturating_add(99));

    /// What distributions ship their kernels with (250).
    pub const DISTRIBUTIONS: Self = Self(NonZeroU32::MIN.saturating_add(249));

    /// `None` outside 1..=10000.
    #[must_use]
    pub fn new(ticks: u32) -> Option<Self> {
        NonZeroU32::new(ticks)
            .filter(|ticks| ticks.get() <= 10_000)
            .map(Self)
    }

    /// From a kernel's configuration, the text of `/proc/config.gz` or `/boot/config-*`: the line `CONFIG_HZ=250`.
    #[must_use]
    pub fn from_config(text: &str) -> Option<Self> {
        text.lines()
            .find_map(|line| line.trim().strip_prefix("CONFIG_HZ="))
            .and_then(|value| value.parse().ok())
            .and_then(Self::new)
    }

    /// Ticks a second.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The length of one tick.
    #[must_use]
    pub fn jiffy(self) -> Duration {
        self.time(1)
    }

    /// A time in ticks, rounded up (`msecs_to_jiffies`, `usecs_to_jiffies`).
    #[must_use]
    pub fn jiffies(self, time: Duration) -> u64 {
        let ticks = (time.as_nanos() * u128::from(self.get())).div_ceil(1_000_000_000);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// So many ticks as a time.
    #[must_use]
    pub fn time(self, jiffies: u64) -> Duration {
        let nanos = u128::from(jiffies) * 1_000_000_000 / u128::from(self.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// By how much a timer that is armed for `delay` fires late at most: the granularity of the wheel's level that holds it.
///
/// Level `n` holds delays from `63 << 3(n - 1)` jiffies (`LVL_START`) and has buckets of `8^n` jiffies (`LVL_GRAN`). The wheel's
/// own clock may be one tick behind when a timer is armed (`forward_timer_base`), so a delay one short of a level counts as in it.
/// The delays of TCP (at most 32767 s) never reach the wheel's last level, whose capacity depends on HZ.
#[must_use]
pub fn lateness(delay: Duration, hz: Hz) -> Duration {
    const LEVELS: u32 = 9;
    let delta = hz.jiffies(delay).saturating_add(1);
    let level = (1..LEVELS)
        .take_while(|level| delta >= 63 << (3 * (level - 1)))
        .count();
    hz.time(1 << (3 * level))
}

#[cfg(test)]
mod tests {
    use super::{Hz, lateness};
    use std::time::Duration;

    fn late(seconds: f64, hz: u32) -> f64 {
        lateness(Duration::from_secs_f64(seconds), Hz::new(hz).unwrap()).as_secs_f64()
    }

    #[test]
    fn granularity_follows_the_kernels_table_at_250() {
        for (delay, granularity) in [
            (0.2, 0.004),
            (0.3, 0.032),
            (1.0, 0.032),
            (2.1, 0.256),
            (15.0, 0.256),
            (75.0, 2.048),
            (1000.0, 16.384),
            (7200.0, 131.072),
        ] {
            assert_eq!(late(delay, 250), granularity, "{delay}");
        }
    }

    #[test]
    fn granularity_follows_the_kernels_table_at_other_rates() {
        assert_eq!(late(7200.0, 100), 327.68);
        assert_eq!(late(75.0, 100), 5.12);
        assert_eq!(late(1.0, 1000), 0.064);
    }

    #[test]
    fn a_delay_one_tick_below_a_level_counts_as_in_it() {
        assert_eq!(late(0.244, 250), 0.004);
        assert_eq!(late(0.248, 250), 0.032);
    }

    #[test]
    fn rate_is_read_from_a_configuration() {
        let text = "# CONFIG_HZ_100 is not set\nCONFIG_HZ_250=y\nCONFIG_HZ=250\n";
        assert_eq!(Hz::from_config(text), Hz::new(250));
        assert_eq!(Hz::from_config("CONFIG_HZ_250=y\n"), None);
        assert_eq!(Hz::from_config("CONFIG_HZ=0\n"), None);
        assert_eq!(Hz::COARSEST.get(), 100);
    }

    #[test]
    fn times_round_up_to_ticks() {
        let hz = Hz::new(300).unwrap();
        assert_eq!(hz.jiffies(Duration::from_millis(200)), 60);
        assert_eq!(hz.jiffies(Duration::from_micros(200_001)), 61);
    }
}
