//! The tick of a kernel.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number of ticks of the kernel's clock in one second (`CONFIG_HZ`), 1..=10000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hz(NonZeroU32);

impl Hz {
    /// The lowest rate that distributions and user-mode Linux use (100). With this rate, timers are
    /// late by the largest amount.
    pub const COARSEST: Self = Self(NonZeroU32::MIN.saturating_add(99));

    /// A rate in ticks per second; `None` outside 1..=10000.
    #[must_use]
    pub fn new(ticks: u32) -> Option<Self> {
        NonZeroU32::new(ticks)
            .filter(|ticks| ticks.get() <= 10_000)
            .map(Self)
    }

    /// The rate in a kernel configuration, the text of `/proc/config.gz` or `/boot/config-*`. It
    /// reads the line `CONFIG_HZ=250`; `None` if there is no valid one.
    #[must_use]
    pub(crate) fn from_config(text: &str) -> Option<Self> {
        text.lines()
            .find_map(|line| line.trim().strip_prefix("CONFIG_HZ="))
            .and_then(|value| value.parse().ok())
            .and_then(Self::new)
    }

    /// The rate in ticks per second.
    #[must_use]
    pub(crate) fn get(self) -> u32 {
        self.0.get()
    }

    /// The length of one tick.
    #[must_use]
    pub(crate) fn jiffy(self) -> Duration {
        self.time(1)
    }

    /// A time in ticks, rounded up (`msecs_to_jiffies`, `usecs_to_jiffies`).
    #[must_use]
    pub(crate) fn jiffies(self, time: Duration) -> u64 {
        let ticks = (time.as_nanos() * u128::from(self.get())).div_ceil(1_000_000_000);
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// The duration of this number of ticks.
    #[must_use]
    pub(crate) fn time(self, jiffies: u64) -> Duration {
        let nanos = u128::from(jiffies) * 1_000_000_000 / u128::from(self.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Hz;
    use std::time::Duration;

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
