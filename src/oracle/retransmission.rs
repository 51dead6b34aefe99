//! Data in flight: the time at which the retransmission timer or the probe timer gives up
//! (`net/ipv4/tcp_timer.c`).
//!
//! *Why does the connection end later than the user timeout?* `retransmits_timed_out` counts from
//! `retrans_stamp`, which `tcp_retransmit_skb` sets to the time of the first retransmission by the
//! *retransmission timer*. The tail loss probe comes before it (`tcp_schedule_loss_probe`; RFC 8985
//! section 7). With one segment in flight the probe replaces the first timeout (200 ms plus 2 round
//! trips), sends the segment and restarts the timer, so the stamp is two timeouts after the first
//! transmission. With several segments in flight the probe is sent after two round trips, and the
//! stamp is one timeout after it.
//!
//! *Why is it later still if a router answers?* After a timeout the kernel clamps the next one to
//! the rest of the user timeout (`tcp_clamp_rto_to_user_timeout`). A matching ICMP unreachable
//! reverts one doubling and arms the timer again, and `tcp_ld_RTO_revert` does not clamp. The
//! number of a router's answers depends on its rate limits. So the rule here is a bound that holds
//! for any pattern of answers: the longest timeout that can be reached before the user timeout is
//! over.

use std::time::Duration;

use super::interval::Interval;
use super::wheel::lateness;
use crate::model::{Hz, ROUND_TRIP};

/// `TCP_RTO_MAX` (`include/net/tcp.h`).
const RTO_MAX: Duration = Duration::from_secs(120);
/// `TCP_RTO_MIN`, the floor of the deviation's part in the timeout (`tcp_rtt_estimator`).
const RTO_MIN: Duration = Duration::from_millis(200);
/// `net.ipv4.tcp_retries2` by default.
const RETRIES: u32 = 15;
/// `tcp_model_timeout` for 15 retries: 200 ms doubled nine times, then six times 120 s.
const MODEL_TIMEOUT: Duration = Duration::from_millis(924_600);

/// Data that is never acknowledged, and its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InFlight {
    /// `TCP_USER_TIMEOUT`, if set.
    pub(crate) user_timeout: Option<Duration>,
    /// How many bytes were written.
    pub(crate) bytes: u32,
    /// Where it stops.
    pub(crate) stuck: Stuck,
    /// Whether it may wait in its own host for the address of a neighbour that does not answer.
    /// Then no retransmission is possible (`skb_still_in_host_queue`), and the timer counts from
    /// the attempted transmission itself (`retrans_stamp` in `tcp_retransmit_skb`).
    pub(crate) held: bool,
}

/// Where the data stops, as far as the timers depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// It leaves the host, and no ICMP error that reverts a doubling comes back.
    Silent,
    /// It leaves the host, and ICMP errors that revert a doubling may come back (RFC 6069).
    Reverted,
    /// It never leaves the host, which has no route. The segment stays unsent, so the probe timer
    /// runs (`tcp_check_probe_timer`).
    Unsent,
}

impl InFlight {
    /// The time at which the kernel gives up, from the first (attempted) transmission.
    #[must_use]
    pub(crate) fn death(&self, hz: Hz) -> Interval {
        let timeout = self.user_timeout.filter(|timeout| !timeout.is_zero());
        match (timeout, self.stuck) {
            (Some(timeout), stuck) => {
                let bound = if stuck == Stuck::Reverted {
                    overshoot_unclamped(timeout, hz)
                } else {
                    overshoot_clamped(timeout, hz)
                };
                self.start(hz) + Interval::exactly(timeout).late_by(bound)
            }
            (None, Stuck::Silent) => self.start(hz) + model_timeout(hz),
            (None, Stuck::Reverted) => {
                let overshoot = RTO_MAX + lateness(RTO_MAX, hz);
                self.start(hz) + Interval::exactly(MODEL_TIMEOUT).late_by(overshoot)
            }
            (None, Stuck::Unsent) => (1..=RETRIES).fold(self.start(hz), |tick, n| {
                tick + armed(backed_off(first_timeout(hz), n), hz)
            }),
        }
    }

    /// The time of the timer's transmission `n` (0 is the one that starts the clock of
    /// [`Self::death`]), without any answer and without a user timeout in between.
    #[must_use]
    pub(crate) fn transmission(&self, n: u32, hz: Hz) -> Interval {
        (1..=n).fold(self.start(hz), |tick, n| {
            tick + armed(backed_off(first_timeout(hz), n), hz)
        })
    }

    /// The time of the tail loss probe, from the first transmission; `None` for data that never
    /// left the host.
    #[must_use]
    pub(crate) fn loss_probe(&self, hz: Hz) -> Option<Interval> {
        let timeout = armed_at_any_time(first_timeout(hz), hz);
        let several = Interval::up_to(ROUND_TRIP * 2 + hz.jiffy() * 3);
        match (self.stuck, self.bytes) {
            (Stuck::Unsent, _) => None,
            // The smallest maximum segment on Ethernet: IPv6 with timestamps.
            (_, 0..=1428) => Some(timeout),
            // The largest: IPv4 with timestamps.
            (_, 1449..) => Some(several),
            _ => Some(Interval::new(several.min, timeout.max)),
        }
    }

    /// The zero of the timer's clock: `retrans_stamp`, or `icsk_probes_tstamp` for data that never
    /// left the host.
    fn start(&self, hz: Hz) -> Interval {
        let start = match self.loss_probe(hz) {
            Some(probe) => probe + armed(first_timeout(hz), hz),
            None => armed_at_any_time(first_timeout(hz), hz),
        };
        if self.held {
            Interval::up_to(start.max)
        } else {
            start
        }
    }

    /// The formula in text form: the user timeout, or the number of retries.
    #[must_use]
    pub(crate) fn formula(&self) -> String {
        let timer = match (self.stuck, self.bytes) {
            _ if self.held => "at most loss probe 0.2s + first timeout 0.2s",
            (Stuck::Unsent, _) => "first probe 0.2s",
            (_, 0..=1428) => "loss probe 0.2s + first timeout 0.2s",
            _ => "first timeout 0.2s",
        };
        match self.user_timeout {
            Some(timeout) => format!("{timer} + user timeout {timeout:?}"),
            None => format!("{timer} + {RETRIES} retries {MODEL_TIMEOUT:?}"),
        }
    }
}

/// `icsk_rto` before any doubling: 200 ms and the smoothed round trip, in jiffies rounded up
/// (`__tcp_set_rto`).
fn first_timeout(hz: Hz) -> Interval {
    let ticks = |time| hz.time(hz.jiffies(time));
    Interval::new(
        ticks(RTO_MIN + Duration::from_micros(1)),
        ticks(RTO_MIN + ROUND_TRIP),
    )
}

/// The timeout after this many doublings, at most `TCP_RTO_MAX`.
fn backed_off(timeout: Interval, doublings: u32) -> Interval {
    let factor = 1 << doublings.min(16);
    Interval::new(
        (timeout.min * factor).min(RTO_MAX),
        (timeout.max * factor).min(RTO_MAX),
    )
}

/// The expiry of a timer of that length, with its lateness.
fn armed(timeout: Interval, hz: Hz) -> Interval {
    timeout.late_by(lateness(timeout.max, hz))
}

/// The expiry of a timer that is armed when the application writes: its jiffies count from the last
/// tick, so the first of them is shorter by the part that has passed. A timer that is armed when
/// another one fires is armed at a tick.
fn armed_at_any_time(timeout: Interval, hz: Hz) -> Interval {
    let Interval { min, max } = armed(timeout, hz);
    Interval::new(min.saturating_sub(hz.jiffy()), max)
}

/// The largest time by which the end exceeds the user timeout if every timer is clamped to the rest
/// of it: the lateness of the last timer.
fn overshoot_clamped(user_timeout: Duration, hz: Hz) -> Duration {
    let mut tick = Interval::default();
    let mut overshoot = Duration::ZERO;
    let mut doublings = 1;
    while tick.min < user_timeout {
        let timeout = backed_off(first_timeout(hz), doublings);
        let left = Interval::exactly(user_timeout).after(tick);
        if timeout.max >= left.min {
            overshoot = overshoot.max(lateness(timeout.max.min(left.max), hz));
        }
        tick = tick + armed(timeout, hz);
        doublings += 1;
    }
    // The rest is rounded up to jiffies, and a timer is never armed for less than two
    // (TCP_TIMEOUT_MIN).
    overshoot + hz.jiffy() * 2
}

/// The largest time by which the end exceeds the user timeout if any timer may be armed again
/// without the clamp.
fn overshoot_unclamped(user_timeout: Duration, hz: Hz) -> Duration {
    let mut tick = Duration::ZERO;
    let mut doublings = 0;
    loop {
        tick += backed_off(first_timeout(hz), doublings + 1).min;
        if tick >= user_timeout {
            break;
        }
        doublings += 1;
    }
    let timeout = backed_off(first_timeout(hz), doublings);
    armed(timeout, hz)
        .max
        .max(overshoot_clamped(user_timeout, hz))
}

/// The end by `tcp_retries2`, from `retrans_stamp`: the first timeout at which the model's time is
/// over (`tcp_model_timeout`).
fn model_timeout(hz: Hz) -> Interval {
    let mut tick = Interval::default();
    let mut earliest = None;
    let mut doublings = 1;
    while tick.min < MODEL_TIMEOUT {
        tick = tick + armed(backed_off(first_timeout(hz), doublings), hz);
        if tick.max >= MODEL_TIMEOUT && earliest.is_none() {
            earliest = Some(tick.min.max(MODEL_TIMEOUT));
        }
        doublings += 1;
    }
    Interval::new(earliest.unwrap_or(MODEL_TIMEOUT), tick.max)
}

#[cfg(test)]
mod tests {
    use super::{InFlight, Stuck};
    use crate::model::Hz;
    use std::time::Duration;

    fn death(timeout: Option<f64>, bytes: u32, stuck: Stuck) -> (f64, f64) {
        let flight = InFlight {
            user_timeout: timeout.map(Duration::from_secs_f64),
            bytes,
            stuck,
            held: false,
        };
        let window = flight.death(Hz::new(250).unwrap());
        (window.min.as_secs_f64(), window.max.as_secs_f64())
    }

    fn assert_covers(window: (f64, f64), measured: &[f64], widest: f64) {
        for time in measured {
            assert!(window.0 <= *time && *time <= window.1, "{time} {window:?}");
        }
        assert!(window.1 - window.0 <= widest, "{window:?}");
    }

    #[test]
    fn silence_ends_at_user_timeout_after_loss_probe_and_first_timeout() {
        assert_covers(
            death(Some(3.0), 10, Stuck::Silent),
            &[3.417, 3.418, 3.45],
            0.25,
        );
        assert_covers(death(Some(4.0), 10, Stuck::Silent), &[4.424, 4.446], 0.5);
        assert!(death(Some(3.0), 10, Stuck::Silent).0 > 3.4);
        // Written 3.91 ms after a tick: 204 ms for the loss probe count from that tick.
        assert_covers(death(Some(3.0), 10, Stuck::Silent), &[3.407_903], 0.25);
    }

    #[test]
    fn several_segments_have_an_early_loss_probe() {
        assert_covers(
            death(Some(3.0), 65_000, Stuck::Silent),
            &[3.217, 3.222],
            0.35,
        );
        assert!(death(Some(3.0), 65_000, Stuck::Silent).1 < 3.6);
    }

    #[test]
    fn reverted_backoff_ends_later_than_the_clamped_one() {
        let window = death(Some(4.0), 10, Stuck::Reverted);
        assert_covers(window, &[4.434, 4.512, 4.964, 5.015], 2.2);
        assert_covers(
            death(Some(8.0), 10, Stuck::Reverted),
            &[8.426, 8.427, 8.601],
            4.3,
        );
        assert!(window.1 > death(Some(4.0), 10, Stuck::Silent).1 + 1.0);
    }

    #[test]
    fn data_that_waits_for_a_neighbour_counts_from_its_own_transmission() {
        let flight = InFlight {
            user_timeout: Some(Duration::from_secs(20)),
            bytes: 17,
            stuck: Stuck::Reverted,
            held: true,
        };
        let window = flight.death(Hz::new(250).unwrap());
        let measured = Duration::from_millis(20_028);
        assert_eq!(window.min, Duration::from_secs(20));
        assert!(window.max > measured, "{window:?}");
    }

    #[test]
    fn unsent_data_ends_at_user_timeout_after_one_probe() {
        let window = death(Some(4.0), 10, Stuck::Unsent);
        assert_covers(window, &[4.207, 4.214, 4.238], 0.4);
    }

    #[test]
    fn fifteen_retries_end_at_a_timeout_after_the_model() {
        let window = death(None, 10, Stuck::Silent);
        assert!(window.0 >= 924.6 + 0.4 && window.0 < 930.0, "{window:?}");
        assert!(window.1 > 930.0 && window.1 < 1000.0, "{window:?}");
        let window = death(None, 10, Stuck::Unsent);
        assert!(window.0 > 924.6 && window.1 < 1000.0, "{window:?}");
        let window = death(None, 10, Stuck::Reverted);
        assert!(window.0 > 924.6 && window.1 > 1044.0, "{window:?}");
    }
}
