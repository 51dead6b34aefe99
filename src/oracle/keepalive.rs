//! The keepalive timer (`tcp_keepalive_timer` in `net/ipv4/tcp_timer.c`): the times of its probes,
//! and the time at which it gives up.
//!
//! It runs only while no data is unacknowledged and no data waits to be sent. It counts from the
//! last segment that TCP accepted (`keepalive_time_elapsed`). The *peer's* probes are not among
//! them: their sequence number has been acknowledged before, so `tcp_validate_incoming` answers and
//! drops them. A *retransmission* by the peer is among them.

use std::time::Duration;

use super::interval::Interval;
use super::wheel::lateness;
use crate::model::{EffectiveKeepalive, Hz};

/// The end of a connection by keepalive if no probe is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Death {
    /// The time of the end since the last received segment.
    pub(crate) window: Interval,
    /// The number (from 0) of the first tick that may give up: all ticks before it certainly send a
    /// probe.
    pub(crate) first_tick: u32,
    /// The number of the tick that certainly gives up.
    pub(crate) last_tick: u32,
}

impl EffectiveKeepalive {
    /// The time of the timer's tick `k` (from 0) since the last received segment, if every tick
    /// before it has sent a probe without an answer. Each tick arms the next one and each is late
    /// by itself, so the lateness adds up. Tick 0 may be early by less than one jiffy, see
    /// [`Self::first_probe_slack`].
    #[must_use]
    pub(crate) fn tick(&self, k: u32, hz: Hz) -> Interval {
        let due = self.idle + self.interval * k;
        let late = lateness(self.idle, hz) + lateness(self.interval, hz) * k;
        Interval::exactly(due).late_by(late)
    }

    /// The largest time by which the first probe may come before `idle` is over: the kernel counts
    /// whole jiffies, and a timer that was armed before the last segment came may fire in the same
    /// jiffy in which `idle` ends. Later ticks are armed by a tick and are not early.
    #[must_use]
    pub(crate) fn first_probe_slack(hz: Hz) -> Duration {
        hz.jiffy()
    }

    /// The end of the connection if no probe is answered any more.
    ///
    /// Without a user timeout, it is the tick after the last probe. With a user timeout, the number
    /// of probes is ignored: it is the first tick at which the time since the last received segment
    /// is at least the user timeout and a probe is unanswered.
    #[must_use]
    pub(crate) fn death(&self, user_timeout: Option<Duration>, hz: Hz) -> Death {
        let Some(timeout) = user_timeout.filter(|timeout| !timeout.is_zero()) else {
            return Death {
                window: self.tick(self.probes, hz),
                first_tick: self.probes,
                last_tick: self.probes,
            };
        };
        let first_tick = self.first_tick_where(hz, |tick| tick.max >= timeout);
        let last_tick = self.first_tick_where(hz, |tick| tick.min >= timeout);
        let earliest = self.tick(first_tick, hz).min;
        // The kernel counts whole jiffies here too: a tick between two due times may find the
        // timeout over up to a jiffy early.
        let earliest = earliest.max(timeout.saturating_sub(hz.jiffy()));
        Death {
            window: Interval::new(earliest, self.tick(last_tick, hz).max),
            first_tick,
            last_tick,
        }
    }

    /// The longest time between two answered probes: after a probe the timer fires after the
    /// interval, and then waits for the rest of the idle time.
    #[must_use]
    pub(crate) fn answered_period(&self, hz: Hz) -> Duration {
        let period = self.idle.max(self.interval);
        period + lateness(period, hz) + lateness(self.interval, hz)
    }

    fn first_tick_where(&self, hz: Hz, found: impl Fn(Interval) -> bool) -> u32 {
        // The first tick with an unanswered probe is tick 1; u32::MAX seconds is beyond any user
        // timeout.
        let mut k = 1;
        while k < u32::MAX && !found(self.tick(k, hz)) {
            k += 1;
        }
        k
    }
}

#[cfg(test)]
mod tests {
    use super::Death;
    use crate::model::{EffectiveKeepalive, Hz, Keepalive, KeepaliveSeconds};
    use std::time::Duration;

    fn seconds(n: f64) -> Duration {
        Duration::from_secs_f64(n)
    }

    fn death(idle: u64, interval: u64, probes: u32, timeout: Option<f64>, hz: u32) -> Death {
        let keepalive = EffectiveKeepalive {
            idle: Duration::from_secs(idle),
            interval: Duration::from_secs(interval),
            probes,
        };
        keepalive.death(timeout.map(seconds), Hz::new(hz).unwrap())
    }

    #[test]
    fn unanswered_probes_end_it_after_idle_and_all_intervals() {
        let window = death(1, 1, 3, None, 250).window;
        assert_eq!((window.min, window.max), (seconds(4.0), seconds(4.128)));
    }

    #[test]
    fn defaults_cover_the_measured_sweep_and_no_more_than_a_bucket_each() {
        let window = death(7200, 75, 9, None, 250).window;
        assert_eq!(window.min, seconds(7875.0));
        assert!(window.max >= seconds(8010.9) && window.max < seconds(8030.0));
        let window = death(7200, 75, 9, None, 100).window;
        assert!(window.max >= seconds(8214.8) && window.max < seconds(8250.0));
    }

    #[test]
    fn user_timeout_replaces_the_count() {
        // Measured: 3.07 s and 10.2 s.
        let window = death(1, 1, 3, Some(2.5), 250).window;
        assert_eq!((window.min, window.max), (seconds(3.0), seconds(3.096)));
        let window = death(1, 1, 3, Some(10.0), 250).window;
        assert!(window.min <= seconds(10.0) && window.min > seconds(9.99));
        assert!(window.max >= seconds(10.2) && window.max < seconds(10.4));
    }

    #[test]
    fn a_late_tick_may_find_the_user_timeout_over() {
        // Tick 1 comes between 2 and 2.064 s: before and after a timeout of 2.03 s.
        let death = death(1, 1, 3, Some(2.03), 250);
        assert_eq!((death.first_tick, death.last_tick), (1, 2));
        assert_eq!(death.window.min, seconds(2.026));
        assert_eq!(death.window.max, seconds(3.096));
    }

    #[test]
    fn user_timeout_needs_an_unanswered_probe() {
        assert_eq!(death(5, 2, 3, Some(1.0), 250).first_tick, 1);
    }

    #[test]
    fn three_forms_give_the_numbers() {
        let t = KeepaliveSeconds::new(20).unwrap();
        let recipe = EffectiveKeepalive::new(Keepalive::Time(t));
        assert_eq!(
            (recipe.idle, recipe.interval, recipe.probes),
            (seconds(20.0), seconds(6.0), 3)
        );
        let sysctl = EffectiveKeepalive::new(Keepalive::Sysctl {
            time: Some(t),
            intvl: None,
            probes: None,
        });
        assert_eq!(
            (sysctl.idle, sysctl.interval, sysctl.probes),
            (seconds(20.0), seconds(75.0), 9)
        );
        let options = EffectiveKeepalive::new(Keepalive::Options {
            idle: None,
            interval: Some(t),
            probes: None,
        });
        assert_eq!(
            (options.idle, options.interval),
            (seconds(7200.0), seconds(20.0))
        );
    }
}
