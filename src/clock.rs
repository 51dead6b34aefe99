//! Waits for a moment of `CLOCK_MONOTONIC`, and translates `CLOCK_REALTIME` time stamps.
//!
//! The kernel stamps captured frames with `CLOCK_REALTIME`. [`Translation`] converts the stamps
//! with an offset that is sampled next to each read, so a step of the wall clock between two reads
//! has no effect.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{self, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::ClockId;
use tokio::io::unix::AsyncFd;

use crate::model::Moment;
use crate::model::moment::nanoseconds;
use crate::sys;

/// Waits until the moment, with the resolution of the clock.
///
/// A timer of the runtime is a timeout of `epoll_wait`, which the kernel may extend by a thousandth
/// (for a nice process by a 200th), up to 100 ms (`select_estimate_accuracy`), in virtual time as
/// well. A timer descriptor (`timerfd_create`(2)) has no such slack.
pub(crate) async fn sleep_until(moment: Moment) {
    if moment.remaining().is_zero() {
        return;
    }
    let expired = match alarm(moment) {
        Ok(alarm) => alarm.readable().await.is_ok(),
        Err(_) => false,
    };
    // If no timer descriptor is available, the less precise timer of the runtime is used.
    if !expired {
        tokio::time::sleep(moment.remaining()).await;
    }
}

/// A timer descriptor that becomes readable at the moment.
fn alarm(moment: Moment) -> io::Result<AsyncFd<OwnedFd>> {
    let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
    let timer = TimerFd::new(timerfd::ClockId::CLOCK_MONOTONIC, flags)?;
    let expiration = Expiration::OneShot(TimeSpec::from_duration(Duration::from_nanos(
        moment.nanos(),
    )));
    timer.set(expiration, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
    sys::watch(timer.into())
}

/// The offset between the two clocks at one instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Translation {
    offset: i128,
    /// The time between the readings before and after, in nanoseconds: the maximum error of the
    /// offset.
    bracket: u64,
}

/// A sufficiently small bracket, in nanoseconds: a reading of the clocks takes some tens of
/// nanoseconds.
const TIGHT: u64 = 1_000;
/// The maximum number of samples: a busy machine may interrupt any of them.
const TRIES: usize = 8;

impl Translation {
    /// Samples both clocks several times and returns the sample with the smallest bracket, because
    /// an interruption between the readings would change the offset.
    #[must_use]
    pub(crate) fn sample() -> Self {
        let mut best = Self::sample_once();
        for _ in 1..TRIES {
            if best.bracket <= TIGHT {
                break;
            }
            let next = Self::sample_once();
            if next.bracket < best.bracket {
                best = next;
            }
        }
        best
    }

    fn sample_once() -> Self {
        let before = nanoseconds(ClockId::CLOCK_MONOTONIC);
        let real = nanoseconds(ClockId::CLOCK_REALTIME);
        let bracket = nanoseconds(ClockId::CLOCK_MONOTONIC).saturating_sub(before);
        let middle = i128::from(before) + i128::from(bracket) / 2;
        Self {
            offset: middle - i128::from(real),
            bracket,
        }
    }

    /// `CLOCK_REALTIME` at the zero of `CLOCK_MONOTONIC`.
    #[must_use]
    pub(crate) fn epoch(self) -> Duration {
        Duration::from_nanos(u64::try_from(-self.offset).unwrap_or_default())
    }

    /// Converts a `CLOCK_REALTIME` time stamp to a moment.
    #[must_use]
    pub(crate) fn monotonic(self, realtime: Duration) -> Moment {
        let nanos = i128::try_from(realtime.as_nanos())
            .unwrap_or(i128::MAX)
            .saturating_add(self.offset);
        Moment::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }
}
