//! The lateness of timers in the kernel's timer wheel.
//!
//! *Why is a timer never early?* A timer that is armed for `delay` jiffies at any moment within
//! jiffy `j` expires at `e = j + delay`, and `calc_index` (`kernel/time/timer.c`) puts it into the
//! bucket that begins at the first multiple of the level's granularity *after* `e`: at `e + 1` at
//! the earliest. The moment of arming is less than one jiffy after the beginning of `j`, so the
//! real time that passes is more than `delay`.
//!
//! *Why is it at most one bucket late?* The bucket begins at `e + granularity` at the latest, and
//! the moment of arming is no earlier than the beginning of `j`. So the partial jiffy is already
//! inside the bucket.
//!
//! Additional lateness comes from the machine (a busy processor, a socket that its program holds:
//! `HZ / 20` more in `tcp_keepalive_timer`), and is not part of the oracle's rules.

use std::time::Duration;

use crate::model::Hz;

/// The largest lateness of a timer that is armed for `delay`: the granularity of the wheel's level
/// that holds it.
///
/// Level `n` holds delays from `63 << 3(n - 1)` jiffies (`LVL_START`) and has buckets of `8^n`
/// jiffies (`LVL_GRAN`). The wheel's own clock may be one tick behind when a timer is armed
/// (`forward_timer_base`), so a delay that is one jiffy short of a level counts as in that level.
/// The delays of TCP (at most 32767 s) never reach the wheel's last level, whose capacity depends
/// on HZ.
#[must_use]
pub(crate) fn lateness(delay: Duration, hz: Hz) -> Duration {
    const LEVELS: u32 = 9;
    let delta = hz.jiffies(delay).saturating_add(1);
    let level = (1..LEVELS)
        .take_while(|level| delta >= 63 << (3 * (level - 1)))
        .count();
    hz.time(1 << (3 * level))
}

#[cfg(test)]
mod tests {
    use super::lateness;
    use crate::model::Hz;
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
}
