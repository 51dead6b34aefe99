//! The received segments that an end's TCP counts as a sign of life.
//!
//! A segment that reaches the interface restarts the keepalive timer only if it passes
//! `tcp_validate_incoming` and then either `tcp_ack` accepts its acknowledgement (`rcv_tstamp`) or
//! `tcp_data_queue` accepts its data (`lrcvtime`); `keepalive_time_elapsed` counts from the later
//! of the two. This module repeats those checks on the captured segments.

use std::time::Duration;

use super::segment::Segment;
use crate::model::Moment;

/// The longest time for which the kernel delays an acknowledgement (`TCP_DELACK_MAX`). A
/// retransmission timeout is longer: `TCP_RTO_MIN` is the same time, and a round trip is added. A
/// tail loss probe may arrive sooner. It repeats the last segment, whose end is equal to the
/// acknowledgement, and is accepted in either case.
const DELAYED_ACK: Duration = Duration::from_millis(200);

/// A timestamp that is older than the newest one by this much or less is accepted
/// (`TCP_PAWS_WINDOW`).
const PAWS_WINDOW: i32 = 1;

/// Serial-number comparison (RFC 1982): whether `a` is after `b`.
pub(super) fn after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b)).cast_signed() > 0
}

/// The sequence numbers of a received segment, relative to the first payload of its direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) seq: u32,
    /// The sequence number after the segment.
    pub(super) end: u32,
    /// The acknowledgement; `None` if the ACK flag is not set.
    pub(super) ack: Option<u32>,
}

/// The state of the end's sequence numbers that the checks need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// `rcv_nxt`; `None` before the peer's first segment.
    pub(super) next_in: Option<u32>,
    /// `snd_nxt`.
    pub(super) next_out: Option<u32>,
    /// `snd_una`; `None` before the first acknowledgement.
    pub(super) acked: Option<u32>,
}

/// The state that the kernel keeps of the segments that it has received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Acceptance {
    /// The last acknowledgement that this end sent (`rcv_wup`).
    acknowledged: Option<u32>,
    /// Data that arrived in order and that no acknowledgement on the wire covers: its time, and the
    /// sequence number after it.
    pending: Vec<(Moment, u32)>,
    /// The newest timestamp of the peer (`ts_recent`, RFC 7323 section 4.3).
    timestamp: Option<u32>,
}

impl Acceptance {
    /// Records an acknowledgement that this end sent.
    pub(super) fn sent(&mut self, ack: u32) {
        self.acknowledge(ack);
        self.pending.retain(|(_, end)| after(*end, ack));
    }

    /// Records data that arrived in order.
    pub(super) fn received(&mut self, at: Moment, end: u32) {
        self.pending.push((at, end));
    }

    /// Returns whether the kernel counts the segment as a sign of life.
    pub(super) fn is_sign_of_life(
        &mut self,
        segment: &Segment,
        arrival: Arrival,
        window: Window,
    ) -> bool {
        self.settle(segment.at);
        let Some(next_in) = window.next_in else {
            self.timestamp = segment.timestamp;
            return true;
        };
        // A SYN within a connection is answered with a challenge ACK and dropped (RFC 5961 section
        // 4).
        if segment.flags.syn
            || self.is_too_old(segment, arrival, next_in, window.acked)
            || (self.acknowledged).is_some_and(|acknowledged| after(acknowledged, arrival.end))
        {
            return false;
        }
        let newer = segment.timestamp.filter(|timestamp| {
            let is_newer = |known: u32| timestamp.wrapping_sub(known).cast_signed() >= 0;
            let in_order = (self.acknowledged).is_none_or(|last| !after(arrival.seq, last));
            in_order && self.timestamp.is_none_or(is_newer)
        });
        let Some(ack) = arrival.ack else {
            return false;
        };
        if window.next_out.is_some_and(|next| after(ack, next)) {
            return false;
        }
        if window.acked.is_none_or(|acked| !after(acked, ack)) {
            self.timestamp = newer.or(self.timestamp);
            return true;
        }
        // A segment with an old acknowledgement counts only if it contains new data in order
        // (tcp_event_data_recv).
        !after(arrival.seq, next_in) && after(arrival.end, next_in)
    }

    /// Does the checks of `tcp_paws_check` and `tcp_disordered_ack_check`, without the latter's
    /// checks of the window and the retransmission timeout.
    fn is_too_old(
        &self,
        segment: &Segment,
        arrival: Arrival,
        next_in: u32,
        acked: Option<u32>,
    ) -> bool {
        let (Some(known), Some(timestamp)) = (self.timestamp, segment.timestamp) else {
            return false;
        };
        let is_old = known.wrapping_sub(timestamp).cast_signed() > PAWS_WINDOW;
        let is_disordered_ack =
            arrival.seq == arrival.end && arrival.seq == next_in && arrival.ack == acked;
        is_old && !is_disordered_ack
    }

    /// Treats data that arrived at least [`DELAYED_ACK`] ago as acknowledged by the kernel. If the
    /// host has no route, the acknowledgement was never on the wire, but the kernel counts it as
    /// sent (`tcp_select_window` runs before `ip_queue_xmit`).
    fn settle(&mut self, now: Moment) {
        let due = |(at, _): &&(Moment, u32)| now.since(*at) >= DELAYED_ACK;
        let count = self.pending.iter().take_while(due).count();
        for (_, end) in self.pending.drain(..count).collect::<Vec<_>>() {
            self.acknowledge(end);
        }
    }

    fn acknowledge(&mut self, ack: u32) {
        if self.acknowledged.is_none_or(|known| after(ack, known)) {
            self.acknowledged = Some(ack);
        }
    }
}
