//! The socket of one end: the TCP state that determines when and how the connection ends.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::clock::{Clock, Jiffies, Nanos};
use super::trace::Cause;
use crate::model::{EffectiveKeepalive, EndSettings, ErrnoName, Family};

/// A sequence number; the first byte of each direction has [`FIRST`].
pub(super) type Seq = u64;

/// So that the number before the first is one too.
pub(super) const FIRST: Seq = 1;

/// `TCP_ATO_MIN`, `TCP_DELACK_MIN`: 40 ms.
const ATO_MIN_MS: u64 = 40;
/// `TCP_DELACK_MAX`: 200 ms.
const DELACK_MAX_MS: u64 = 200;
/// `TCP_MAX_QUICKACKS`.
const QUICKACKS: u32 = 16;
/// `TCP_MSS_DEFAULT`, where the estimate of the peer's segment size begins.
const MSS_DEFAULT: u64 = 536;

/// A timer. Arming it again replaces the earlier expiry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timer {
    /// The number of the event that is valid.
    pub(super) armed: Option<u32>,
    last: u32,
}

impl Timer {
    pub(super) fn arm(&mut self) -> u32 {
        self.last += 1;
        self.armed = Some(self.last);
        self.last
    }

    pub(super) fn stop(&mut self) {
        self.armed = None;
    }

    /// Returns whether the event is valid, and disarms the timer if it is.
    pub(super) fn fires(&mut self, event: u32) -> bool {
        let fires = self.armed == Some(event);
        if fires {
            self.armed = None;
        }
        fires
    }
}

/// The purpose of the write timer (`icsk_pending`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    /// `ICSK_TIME_LOSS_PROBE`.
    LossProbe,
    /// `ICSK_TIME_RETRANS`.
    Retransmission,
    /// `ICSK_TIME_PROBE0`.
    WindowProbe,
}

/// A segment in the retransmission queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    pub(super) start: Seq,
    pub(super) end: Seq,
    /// When it was last sent.
    pub(super) sent: Nanos,
    /// It waits in its own host for a neighbour (`skb_still_in_host_queue`).
    pub(super) held: bool,
    pub(super) sacked: bool,
}

/// Whether the program has a socket, and how the connection has ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Open,
    Ended {
        errno: ErrnoName,
        at: Nanos,
        cause: Cause,
    },
    /// Its host has rebooted.
    Forgotten,
}

/// The state of delayed acknowledgements (`icsk_ack`).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Owed {
    /// `ICSK_ACK_SCHED`.
    pub(super) scheduled: bool,
    /// `ICSK_ACK_NOW`.
    pub(super) now: bool,
    /// `ICSK_ACK_PUSHED`, `ICSK_ACK_PUSHED2`.
    pushed: bool,
    pushed_twice: bool,
    /// `quick`.
    quick: u32,
    /// `pingpong`.
    pub(super) pingpong: bool,
    /// `ato`; 0 before the first data.
    ato: Jiffies,
    /// When the delayed one is due, while its timer runs (`ICSK_ACK_TIMER`).
    pub(super) due: Option<Jiffies>,
}

/// A socket.
#[derive(Debug, Clone)]
pub(super) struct Socket {
    pub(super) state: State,
    pub(super) keepalive: Option<KeepaliveTicks>,
    /// `icsk_user_timeout`, in milliseconds; 0: none.
    pub(super) user_timeout: u64,
    /// `tcp_retries2`.
    pub(super) retries: u32,
    /// `tcp_rto_max`.
    pub(super) rto_max: Jiffies,
    pub(super) mss: u64,

    pub(super) una: Seq,
    pub(super) nxt: Seq,
    /// What the program has written.
    pub(super) written: Seq,
    pub(super) queue: VecDeque<Flight>,
    /// `icsk_rto` as the round trips make it, and with its doublings.
    pub(super) first_rto: Jiffies,
    pub(super) rto: Jiffies,
    pub(super) backoff: u32,
    pub(super) retransmits: u32,
    /// `retrans_stamp`, in milliseconds; 0: none.
    pub(super) retrans_stamp: u64,
    pub(super) in_loss: bool,
    /// An ICMP error has taken a doubling back since the last acknowledgement.
    pub(super) reverted: bool,
    pub(super) tlp_high: Option<Seq>,
    pub(super) pending: Option<Pending>,
    pub(super) timeout: Jiffies,
    pub(super) write_timer: Timer,
    /// `icsk_probes_out`, which keepalive and window probes share, and `icsk_probes_tstamp`.
    pub(super) probes_out: u32,
    pub(super) probes_since: Option<Jiffies>,
    pub(super) keepalive_timer: Timer,
    pub(super) soft_error: Option<ErrnoName>,

    pub(super) rcv_nxt: Seq,
    /// `rcv_wup`: `rcv_nxt` when the last segment was sent.
    pub(super) rcv_wup: Seq,
    pub(super) out_of_order: BTreeSet<(Seq, Seq)>,
    /// `rcv_tstamp`: the last acknowledgement.
    pub(super) acknowledged: Jiffies,
    /// `lrcvtime`: the last data.
    pub(super) data_at: Jiffies,
    pub(super) owed: Owed,
    pub(super) ack_timer: Timer,
    /// `sk_dst_pending_confirm`.
    pub(super) confirms: bool,
    rcv_mss: u64,

    /// The time of the last segment that TCP accepted, and of the first transmission of the oldest
    /// unacknowledged data. Predicted windows count from them.
    pub(super) received: Nanos,
    pub(super) unacknowledged: Option<Nanos>,
    /// Answered probes since the network last changed.
    pub(super) answered: u32,
}

/// Keepalive's numbers in ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeepaliveTicks {
    pub(super) idle: Jiffies,
    pub(super) interval: Jiffies,
    pub(super) probes: u32,
}

impl Socket {
    pub(super) fn new(
        settings: &EndSettings,
        family: Family,
        clock: Clock,
        rto: Jiffies,
        now: Nanos,
    ) -> Self {
        let keepalive = settings.keepalive.map(EffectiveKeepalive::new);
        let tick = clock.jiffies(now);
        let millis = settings
            .user_timeout
            .map_or(0, |timeout| timeout.as_millis());
        Self {
            state: State::Open,
            keepalive: keepalive.map(|keepalive| KeepaliveTicks {
                idle: clock.ticks(keepalive.idle),
                interval: clock.ticks(keepalive.interval),
                probes: keepalive.probes,
            }),
            user_timeout: u64::try_from(millis).unwrap_or(u64::MAX),
            retries: 15,
            rto_max: clock.ticks(super::RTO_MAX),
            // Ethernet's 1500 bytes, less the headers, with timestamps.
            mss: match family {
                Family::Ipv4 => 1448,
                Family::Ipv6 => 1428,
            },
            una: FIRST,
            nxt: FIRST,
            written: FIRST,
            queue: VecDeque::new(),
            first_rto: rto,
            rto,
            backoff: 0,
            retransmits: 0,
            retrans_stamp: 0,
            in_loss: false,
            reverted: false,
            tlp_high: None,
            pending: None,
            timeout: 0,
            write_timer: Timer::default(),
            probes_out: 0,
            probes_since: None,
            keepalive_timer: Timer::default(),
            soft_error: None,
            rcv_nxt: FIRST,
            rcv_wup: FIRST,
            out_of_order: BTreeSet::new(),
            acknowledged: tick,
            data_at: tick,
            owed: Owed::default(),
            ack_timer: Timer::default(),
            confirms: false,
            rcv_mss: MSS_DEFAULT,
            received: now,
            unacknowledged: None,
            answered: 0,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether everything that was written is acknowledged.
    pub(super) fn is_idle(&self) -> bool {
        self.una == self.written
    }

    /// `tcp_model_timeout`, in milliseconds.
    pub(super) fn model_timeout(&self, clock: Clock) -> u64 {
        let base = clock.ticks(super::RTO_MIN);
        let threshold = (self.rto_max / base).checked_ilog2().unwrap_or(0);
        let doubled = |times: u32| ((2 << times) - 1) * base;
        let ticks = match self.retries.checked_sub(threshold) {
            Some(beyond) => doubled(threshold) + u64::from(beyond) * self.rto_max,
            None => doubled(self.retries),
        };
        clock.millis(ticks)
    }

    /// A segment goes out that acknowledges all that has come (`tcp_event_ack_sent`).
    pub(super) fn acknowledge(&mut self, clock: Clock) {
        self.rcv_wup = self.rcv_nxt;
        let owed = &mut self.owed;
        if owed.scheduled {
            if owed.quick <= 1 {
                owed.ato = clock.ticks(Duration::from_millis(ATO_MIN_MS));
            }
            owed.quick = owed.quick.saturating_sub(1);
        }
        *owed = Owed {
            quick: owed.quick,
            pingpong: owed.pingpong,
            ato: owed.ato,
            ..Owed::default()
        };
        self.ack_timer.stop();
    }

    /// Data goes out (`tcp_event_data_sent`).
    pub(super) fn sends_data(&mut self, tick: Jiffies) {
        if tick.saturating_sub(self.data_at) < self.owed.ato {
            self.owed.pingpong = true;
        }
    }

    /// Data has come in order (`tcp_event_data_recv`).
    pub(super) fn data_received(&mut self, bytes: u64, tick: Jiffies, clock: Clock) {
        let minimum = clock.ticks(Duration::from_millis(ATO_MIN_MS));
        let gap = tick.saturating_sub(self.data_at);
        let maximum = clock.ticks(Duration::from_millis(DELACK_MAX_MS));
        let owed = &mut self.owed;
        owed.scheduled = true;
        if bytes < self.rcv_mss && owed.pushed {
            owed.pushed_twice = true;
        }
        owed.pushed = true;
        self.rcv_mss = self.rcv_mss.max(bytes.min(self.mss));
        if owed.ato == 0 {
            owed.quick = owed.quick.max(QUICKACKS);
            owed.ato = minimum;
        } else if gap <= minimum / 2 {
            owed.ato = owed.ato / 2 + minimum / 2;
        } else if gap < owed.ato {
            owed.ato = (owed.ato / 2 + gap).min(self.rto).min(maximum);
        } else if gap > self.rto {
            owed.quick = owed.quick.max(QUICKACKS);
        }
        self.data_at = tick;
    }

    /// Data has come that it had (`tcp_enter_quickack_mode`).
    pub(super) fn old_data_received(&mut self, clock: Clock) {
        let owed = &mut self.owed;
        owed.quick = owed.quick.max(QUICKACKS);
        owed.pingpong = false;
        owed.ato = clock.ticks(Duration::from_millis(ATO_MIN_MS));
        owed.scheduled = true;
    }

    /// Whether the acknowledgement goes out at once (`__tcp_ack_snd_check`).
    pub(super) fn acknowledges_now(&self) -> bool {
        self.rcv_nxt - self.rcv_wup > self.rcv_mss
            || (self.owed.quick > 0 && !self.owed.pingpong)
            || self.owed.now
            || !self.out_of_order.is_empty()
    }

    /// Whether it goes out when the program reads (`__tcp_cleanup_rbuf`).
    pub(super) fn acknowledges_on_reading(&self) -> bool {
        let owed = self.owed;
        owed.scheduled
            && (self.rcv_nxt - self.rcv_wup > self.rcv_mss
                || owed.pushed_twice
                || (owed.pushed && !owed.pingpong))
    }

    /// When a delayed acknowledgement is due (`tcp_send_delayed_ack`); `None`: it goes out at once.
    pub(super) fn delay(&mut self, tick: Jiffies, clock: Clock) -> Option<Jiffies> {
        let minimum = clock.ticks(Duration::from_millis(ATO_MIN_MS));
        // The round trip is shorter than the minimum, and bounds what is longer.
        let ato = self.owed.ato.min(minimum);
        let mut due = tick + ato;
        if let Some(earlier) = self.owed.due {
            if earlier <= tick + ato / 4 {
                return None;
            }
            due = due.min(earlier);
        }
        self.owed.due = Some(due);
        Some(due)
    }

    /// The delayed acknowledgement's timer has fired (`tcp_delack_timer_handler`).
    pub(super) fn delay_is_over(&mut self, clock: Clock) {
        let owed = &mut self.owed;
        owed.due = None;
        if owed.pingpong {
            owed.pingpong = false;
            owed.ato = clock.ticks(Duration::from_millis(ATO_MIN_MS));
        } else {
            let maximum = clock.ticks(Duration::from_millis(DELACK_MAX_MS));
            owed.ato = (owed.ato * 2).min(self.rto).min(maximum);
        }
    }
}
