//! TCP: what the timers of an end do (`net/ipv4/tcp_timer.c`), what goes out
//! (`net/ipv4/tcp_output.c`), and what comes in (`net/ipv4/tcp_input.c`).

use std::time::Duration;

use nix::errno::Errno;

use super::clock::{Jiffies, Nanos};
use super::socket::{Flight, Pending, Seq, State};
use super::{Cause, Event, IcmpEffect, Segment, Sent, Simulation, What};
use crate::model::{End, ErrnoName, Family};

/// `TCP_RESOURCE_PROBE_INTERVAL`: half a second.
const RESOURCE_PROBE: Duration = Duration::from_millis(500);
/// `TCP_TIMEOUT_MIN`, in ticks.
const TIMEOUT_MIN: Jiffies = 2;
/// `TCP_TIMEOUT_MIN_US`.
const TIMEOUT_MIN_US: u64 = 2000;
/// The congestion window before anything is lost (`TCP_INIT_CWND`).
const WINDOW: usize = 10;

fn name(errno: Errno) -> ErrnoName {
    ErrnoName::from_raw(errno as i32)
}

/// Timers.
impl Simulation<'_> {
    pub(super) fn arm_keepalive(&mut self, end: End, ticks: Jiffies) {
        let at = self.expiry(self.tick() + ticks);
        let timer = self.socket(end).keepalive_timer.arm();
        self.at(at, Event::Keepalive(end, timer));
    }

    /// `tcp_reset_xmit_timer`.
    fn arm(&mut self, end: End, pending: Pending, ticks: Jiffies) {
        let tick = self.tick();
        let socket = self.socket(end);
        socket.pending = Some(pending);
        socket.timeout = tick + ticks.min(socket.rto_max);
        self.arm_write_timer(end);
    }

    fn arm_write_timer(&mut self, end: End) {
        let timeout = self.socket(end).timeout;
        let at = self.expiry(timeout);
        let timer = self.socket(end).write_timer.arm();
        self.at(at, Event::Write(end, timer));
    }

    /// `tcp_keepalive_timer`.
    pub(super) fn keepalive_timer(&mut self, end: End) {
        let tick = self.tick();
        let clock = self.clock;
        let socket = self.socket(end);
        let (true, Some(keepalive)) = (socket.is_open(), socket.keepalive) else {
            return;
        };
        if !socket.is_idle() {
            self.arm_keepalive(end, keepalive.idle);
            return;
        }
        let elapsed = tick.saturating_sub(socket.acknowledged.max(socket.data_at));
        if elapsed < keepalive.idle {
            self.arm_keepalive(end, keepalive.idle - elapsed);
            return;
        }
        let timeout = socket.user_timeout;
        let (gives_up, cause) = if timeout > 0 {
            let over = elapsed >= clock.ticks(Duration::from_millis(timeout));
            (over && socket.probes_out > 0, Cause::ProbesUserTimeout)
        } else {
            (socket.probes_out >= keepalive.probes, Cause::Probes)
        };
        if gives_up {
            let seq = socket.nxt;
            let rst = What::Rst {
                seq,
                cause: Cause::PeerGaveUp,
            };
            self.transmit(end, rst);
            self.write_error(end, cause);
            return;
        }
        let seq = socket.una - 1;
        let next = match self.transmit(end, What::Probe { seq }) {
            Sent::Congested => clock.ticks(RESOURCE_PROBE),
            Sent::Away | Sent::Held | Sent::Failed(_) => {
                self.socket(end).probes_out += 1;
                keepalive.interval
            }
        };
        self.probe_sent(end);
        self.arm_keepalive(end, next);
    }

    /// `tcp_write_timer_handler`.
    pub(super) fn write_timer(&mut self, end: End) {
        let tick = self.tick();
        let socket = self.socket(end);
        if !socket.is_open() {
            return;
        }
        let Some(pending) = socket.pending else {
            return;
        };
        if socket.timeout > tick {
            self.arm_write_timer(end);
            return;
        }
        match pending {
            Pending::LossProbe => self.loss_probe(end),
            Pending::Retransmission => {
                socket.pending = None;
                self.retransmission_timer(end);
            }
            Pending::WindowProbe => {
                socket.pending = None;
                self.probe_timer(end);
            }
        }
    }

    /// How far the retransmission timeout of the oldest segment lies ahead (`tcp_rto_delta_us`), in
    /// microseconds; 0: it is over.
    fn rto_left(&mut self, end: End) -> u64 {
        let (now, clock) = (self.now, self.clock);
        let socket = self.socket(end);
        let sent = socket.queue.front().map_or(now, |flight| flight.sent);
        let rto = clock.micros(socket.rto);
        rto.saturating_sub(now.saturating_sub(sent) / 1000)
    }

    /// `tcp_rearm_rto`.
    fn rearm_rto(&mut self, end: End) {
        if self.socket(end).queue.is_empty() {
            self.socket(end).pending = None;
            return;
        }
        let ticks = match self.socket(end).pending {
            Some(Pending::LossProbe) => {
                let left = self.rto_left(end).max(1);
                self.clock.ticks_of_micros(left)
            }
            Some(Pending::Retransmission | Pending::WindowProbe) | None => self.socket(end).rto,
        };
        self.arm(end, Pending::Retransmission, ticks);
    }

    /// `tcp_schedule_loss_probe`; `false` where the retransmission timer is the right one.
    fn schedule_loss_probe(&mut self, end: End, advancing: bool) -> bool {
        let clock = self.clock;
        let socket = self.socket(end);
        if socket.in_loss {
            return false;
        }
        // What the round trips add to the first timeout, they add here.
        let longer = clock
            .micros(socket.first_rto)
            .saturating_sub(clock.micros(clock.ticks(super::RTO_MIN)));
        let base = if socket.queue.len() == 1 {
            clock.ticks(super::RTO_MIN) + u64::from(longer > 0)
        } else {
            clock.ticks_of_micros(TIMEOUT_MIN_US + 1)
        };
        let left = if advancing {
            clock.micros(socket.rto)
        } else {
            self.rto_left(end)
        };
        let ticks = match left {
            0 => base,
            left => base.min(clock.ticks_of_micros(left)),
        };
        self.arm(end, Pending::LossProbe, ticks);
        true
    }

    /// `tcp_send_loss_probe`.
    fn loss_probe(&mut self, end: End) {
        let socket = self.socket(end);
        let Some(last) = socket.queue.back().copied() else {
            socket.pending = None;
            return;
        };
        let unsent = socket.nxt < socket.written;
        let sent = if socket.tlp_high.is_some() {
            false
        } else if unsent {
            self.send_next(end)
        } else if last.held {
            false
        } else {
            let position = socket.queue.len() - 1;
            self.retransmit(end, position) == Sent::Away
                || self
                    .socket(end)
                    .queue
                    .back()
                    .is_some_and(|flight| flight.held)
        };
        let socket = self.socket(end);
        if sent {
            socket.tlp_high = Some(socket.nxt);
            socket.pending = None;
        }
        self.rearm_rto(end);
    }

    /// `retransmits_timed_out`.
    fn has_timed_out(&mut self, end: End) -> bool {
        let (now, clock) = (self.millis(), self.clock);
        let socket = self.socket(end);
        if socket.retransmits == 0 {
            return false;
        }
        let timeout = match socket.user_timeout {
            0 => socket.model_timeout(clock),
            timeout => timeout,
        };
        now >= socket.retrans_stamp + timeout
    }

    /// `tcp_retransmit_timer`.
    fn retransmission_timer(&mut self, end: End) {
        if self.socket(end).queue.is_empty() {
            return;
        }
        if self.has_timed_out(end) {
            let reverted = self.socket(end).reverted;
            self.write_error(end, Cause::Retransmission { reverted });
            return;
        }
        let socket = self.socket(end);
        socket.in_loss = true;
        socket.tlp_high = None;
        socket.retransmits += 1;
        let sent = self.retransmit(end, 0);
        let now = self.millis();
        let clock = self.clock;
        let socket = self.socket(end);
        if socket.retrans_stamp == 0 {
            socket.retrans_stamp = socket
                .queue
                .front()
                .map_or(now, |flight| flight.sent / 1_000_000);
        }
        if sent == Sent::Congested {
            self.arm(end, Pending::Retransmission, clock.ticks(RESOURCE_PROBE));
            return;
        }
        socket.backoff += 1;
        socket.rto = (socket.rto * 2).min(socket.rto_max);
        let ticks = self.clamped_rto(end);
        self.arm(end, Pending::Retransmission, ticks);
    }

    /// `tcp_clamp_rto_to_user_timeout`.
    fn clamped_rto(&mut self, end: End) -> Jiffies {
        let (now, clock) = (self.millis(), self.clock);
        let socket = self.socket(end);
        if socket.user_timeout == 0 {
            return socket.rto;
        }
        let elapsed = now.saturating_sub(socket.retrans_stamp);
        match socket.user_timeout.checked_sub(elapsed) {
            None | Some(0) => 1,
            Some(left) => socket.rto.min(clock.ticks(Duration::from_millis(left))),
        }
    }

    /// `tcp_probe_timer`, `tcp_send_probe0`.
    fn probe_timer(&mut self, end: End) {
        let (tick, clock) = (self.tick(), self.clock);
        let socket = self.socket(end);
        if !socket.queue.is_empty() || socket.nxt >= socket.written {
            socket.probes_out = 0;
            socket.probes_since = None;
            return;
        }
        let timeout = clock.ticks(Duration::from_millis(socket.user_timeout));
        let over = match socket.probes_since {
            None => {
                socket.probes_since = Some(tick);
                false
            }
            Some(since) => timeout > 0 && tick.saturating_sub(since) >= timeout,
        };
        if over || socket.probes_out >= socket.retries {
            self.write_error(end, Cause::Unsent);
            return;
        }
        let sent = self.send_new(end);
        let socket = self.socket(end);
        if !socket.queue.is_empty() {
            socket.probes_out = 0;
            socket.backoff = 0;
            socket.probes_since = None;
            return;
        }
        socket.probes_out += 1;
        let ticks = if sent == Sent::Congested {
            clock.ticks(RESOURCE_PROBE)
        } else {
            if socket.backoff < socket.retries {
                socket.backoff += 1;
            }
            let base = socket.rto.max(clock.ticks(super::RTO_MIN));
            let most = (clock.ticks(super::RTO_MAX) / clock.ticks(super::RTO_MIN)).ilog2() + 1;
            (base << socket.backoff.min(most)).min(socket.rto_max)
        };
        let since = socket.probes_since.unwrap_or(tick);
        let ticks = match timeout {
            0 => ticks,
            timeout => {
                let left = timeout.saturating_sub(tick.saturating_sub(since));
                ticks.min(left.max(TIMEOUT_MIN))
            }
        };
        self.arm(end, Pending::WindowProbe, ticks);
    }

    /// `tcp_write_err`.
    fn write_error(&mut self, end: End, cause: Cause) {
        let errno = self.socket(end).soft_error;
        self.finish_with(end, errno.unwrap_or_else(|| name(Errno::ETIMEDOUT)), cause);
    }

    fn finish_with(&mut self, end: End, errno: ErrnoName, cause: Cause) {
        let at = self.now;
        let socket = self.socket(end);
        if !socket.is_open() {
            return;
        }
        socket.state = State::Ended { errno, at, cause };
        socket.keepalive_timer.stop();
        socket.write_timer.stop();
        socket.ack_timer.stop();
    }

    /// The delayed acknowledgement is due.
    pub(super) fn delayed_acknowledgement(&mut self, end: End) {
        let clock = self.clock;
        let socket = self.socket(end);
        if socket.is_open() && socket.owed.scheduled {
            socket.delay_is_over(clock);
            self.send_ack(end);
        }
    }
}

/// Output.
impl Simulation<'_> {
    /// The program writes.
    pub(super) fn write(&mut self, end: End, bytes: u64) {
        let socket = self.socket(end);
        if !socket.is_open() {
            return;
        }
        socket.written += bytes;
        self.push(end);
    }

    /// `tcp_write_xmit`, and the probe timer where nothing could be sent (`tcp_check_probe_timer`).
    fn push(&mut self, end: End) {
        let mut any = false;
        while self.socket(end).queue.len() < WINDOW && self.send_next(end) {
            any = true;
        }
        if any {
            self.schedule_loss_probe(end, false);
        }
        let clock = self.clock;
        let socket = self.socket(end);
        let stuck = socket.queue.is_empty() && socket.nxt < socket.written;
        if stuck && socket.pending.is_none() {
            let ticks = socket.rto.max(clock.ticks(super::RTO_MIN));
            self.arm(end, Pending::WindowProbe, ticks);
        }
    }

    /// Sends the next unsent segment, if there is one (`tcp_write_xmit`). Returns whether it has left.
    fn send_next(&mut self, end: End) -> bool {
        let socket = self.socket(end);
        if socket.nxt >= socket.written {
            return false;
        }
        let now = self.now;
        self.socket(end).unacknowledged.get_or_insert(now);
        match self.send_new(end) {
            Sent::Away | Sent::Held => true,
            Sent::Failed(_) | Sent::Congested => false,
        }
    }

    /// Sends the next unsent segment. If it has left, it is in flight (`tcp_event_new_data_sent`).
    fn send_new(&mut self, end: End) -> Sent {
        let socket = self.socket(end);
        let start = socket.nxt;
        let last = socket.written.min(start + socket.mss);
        let sent = self.transmit(end, What::Data { start, end: last });
        let held = match sent {
            Sent::Away => false,
            Sent::Held => true,
            Sent::Failed(_) | Sent::Congested => return sent,
        };
        let now = self.now;
        let socket = self.socket(end);
        let first = socket.queue.is_empty();
        socket.queue.push_back(Flight {
            start,
            end: last,
            sent: now,
            held,
            sacked: false,
        });
        socket.nxt = last;
        if first || socket.pending == Some(Pending::LossProbe) {
            self.rearm_rto(end);
        }
        sent
    }

    /// `__tcp_retransmit_skb`.
    fn retransmit(&mut self, end: End, position: usize) -> Sent {
        let Some(flight) = self.socket(end).queue.get(position).copied() else {
            return Sent::Away;
        };
        if flight.held {
            return Sent::Failed(name(Errno::EBUSY));
        }
        // inet_sk_rebuild_header, inet6_sk_rebuild_header
        if let Some(errno) = self.no_route(end) {
            self.socket(end).soft_error = Some(errno);
            return Sent::Failed(errno);
        }
        let (start, last) = (flight.start, flight.end);
        let sent = self.transmit(end, What::Data { start, end: last });
        let now = self.now;
        if let Some(flight) = self.socket(end).queue.get_mut(position) {
            match sent {
                Sent::Away => flight.sent = now,
                Sent::Held => {
                    flight.sent = now;
                    flight.held = true;
                }
                Sent::Failed(_) | Sent::Congested => {}
            }
        }
        sent
    }

    fn send_ack(&mut self, end: End) {
        let seq = self.socket(end).nxt;
        self.transmit(end, What::Ack { seq });
    }

    /// `__tcp_transmit_skb`.
    fn transmit(&mut self, end: End, what: What) -> Sent {
        let (tick, clock) = (self.tick(), self.clock);
        let socket = self.socket(end);
        let ack = socket.rcv_nxt;
        let sacked = socket.out_of_order.last().map(|(_, end)| *end);
        match what {
            What::Rst { .. } => {}
            What::Data { .. } => {
                socket.acknowledge(clock);
                socket.sends_data(tick);
            }
            What::Probe { .. } | What::Ack { .. } => socket.acknowledge(clock),
        }
        let to = end.peer();
        let sent = self.output(Segment {
            to,
            what,
            ack,
            sacked,
        });
        if let Sent::Failed(errno) = sent
            && self.case.family == Family::Ipv6
        {
            // inet6_csk_xmit
            self.socket(end).soft_error = Some(errno);
        }
        sent
    }
}

/// Input.
impl Simulation<'_> {
    /// A segment has arrived at its host.
    pub(super) fn receive(&mut self, segment: Segment) {
        let end = segment.to;
        if !self.socket(end).is_open() {
            if !matches!(segment.what, What::Rst { .. }) {
                // tcp_v4_send_reset: the number is the one that the segment acknowledges.
                let (seq, cause) = (segment.ack, Cause::Reset);
                self.transmit(end, What::Rst { seq, cause });
            }
            return;
        }
        match segment.what {
            What::Rst { seq, cause } => self.reset(end, seq, cause),
            What::Probe { seq } => self.bare(end, seq, segment),
            What::Ack { seq } => self.bare(end, seq, segment),
            What::Data { start, end: last } => self.data(end, start, last, segment),
        }
    }

    /// `tcp_validate_incoming`, step 2.
    fn reset(&mut self, end: End, seq: Seq, cause: Cause) {
        if seq == self.socket(end).rcv_nxt {
            self.finish_with(end, name(Errno::ECONNRESET), cause);
        } else if seq > self.socket(end).rcv_nxt {
            // A challenge (RFC 5961).
            self.send_ack(end);
        }
    }

    /// A segment without data.
    fn bare(&mut self, end: End, seq: Seq, segment: Segment) {
        if seq < self.socket(end).rcv_wup {
            // tcp_sequence: the answer to a keepalive probe.
            self.send_ack(end);
            return;
        }
        if self.acknowledged(end, segment) {
            self.push(end);
        }
    }

    fn data(&mut self, end: End, start: Seq, last: Seq, segment: Segment) {
        let socket = self.socket(end);
        if last < socket.rcv_wup {
            self.send_ack(end);
            return;
        }
        // The fast path of tcp_rcv_established reads no acknowledgement that is not new.
        let predicted =
            start == socket.rcv_nxt && socket.out_of_order.is_empty() && segment.ack == socket.una;
        if !predicted && !self.acknowledged(end, segment) {
            return;
        }
        self.queue_data(end, start, last);
        if self.socket(end).is_open() {
            self.push(end);
            self.acknowledge_if_due(end);
        }
    }

    /// `tcp_data_queue`.
    fn queue_data(&mut self, end: End, start: Seq, last: Seq) {
        let (tick, clock, now) = (self.tick(), self.clock, self.now);
        let socket = self.socket(end);
        socket.received = now;
        if last <= socket.rcv_nxt {
            socket.old_data_received(clock);
            socket.owed.now = true;
            return;
        }
        if start > socket.rcv_nxt {
            socket.out_of_order.insert((start, last));
            socket.owed.scheduled = true;
            return;
        }
        let before = socket.rcv_nxt;
        socket.rcv_nxt = last;
        socket.data_received(last - before, tick, clock);
        let gap = !socket.out_of_order.is_empty();
        while let Some((start, last)) = socket.out_of_order.first().copied() {
            if start > socket.rcv_nxt {
                break;
            }
            socket.rcv_nxt = socket.rcv_nxt.max(last);
            socket.out_of_order.pop_first();
        }
        socket.owed.now |= gap && socket.out_of_order.is_empty();
        let bytes = socket.rcv_nxt - before;
        self.data_read(end, bytes);
    }

    /// `__tcp_ack_snd_check`, and the program's read.
    fn acknowledge_if_due(&mut self, end: End) {
        let (tick, clock) = (self.tick(), self.clock);
        let socket = self.socket(end);
        if !socket.owed.scheduled {
            return;
        }
        if socket.acknowledges_now() {
            self.send_ack(end);
            return;
        }
        let Some(due) = socket.delay(tick, clock) else {
            self.send_ack(end);
            return;
        };
        if self.socket(end).acknowledges_on_reading() {
            self.send_ack(end);
            return;
        }
        let at: Nanos = self.expiry(due);
        let timer = self.socket(end).ack_timer.arm();
        self.at(at, Event::Acknowledge(end, timer));
    }

    /// `tcp_ack`; `false` for what TCP drops.
    fn acknowledged(&mut self, end: End, segment: Segment) -> bool {
        let (tick, now) = (self.tick(), self.now);
        let socket = self.socket(end);
        let ack = segment.ack;
        if ack < socket.una {
            return true;
        }
        if ack > socket.nxt {
            self.send_ack(end);
            return false;
        }
        let prior = !socket.queue.is_empty();
        let advances = ack > socket.una;
        let probed = socket.probes_out > 0;
        socket.received = now;
        socket.soft_error = None;
        socket.probes_out = 0;
        socket.acknowledged = tick;
        if probed {
            self.probe_answered(end);
        }
        let socket = self.socket(end);
        if !prior {
            // tcp_ack_probe
            if socket.nxt < socket.written {
                socket.backoff = 0;
                socket.probes_since = None;
                if socket.pending == Some(Pending::WindowProbe) {
                    socket.pending = None;
                }
            }
            return true;
        }
        if advances {
            self.clean_queue(end, ack);
        }
        let is_data = matches!(segment.what, What::Data { .. });
        let sacked = segment.sacked.filter(|sacked| *sacked > ack);
        if advances || sacked.is_some() || !is_data {
            self.socket(end).confirms = true;
        }
        if let Some(sacked) = sacked {
            self.mark_lost(end, sacked);
        }
        true
    }

    /// `tcp_clean_rtx_queue`.
    fn clean_queue(&mut self, end: End, ack: Seq) {
        let socket = self.socket(end);
        socket.una = ack;
        socket.retransmits = 0;
        socket.backoff = 0;
        socket.reverted = false;
        socket.rto = socket.first_rto;
        while socket.queue.front().is_some_and(|flight| flight.end <= ack) {
            socket.queue.pop_front();
        }
        if socket.tlp_high.is_some_and(|high| ack >= high) {
            socket.tlp_high = None;
        }
        socket.unacknowledged = socket.queue.front().map(|flight| flight.sent);
        if socket.queue.is_empty() {
            socket.in_loss = false;
            socket.retrans_stamp = 0;
            socket.pending = None;
            return;
        }
        if socket.in_loss {
            // Each acknowledgement lets the next ones go out again.
            for position in 0..self.socket(end).queue.len().min(2) {
                self.retransmit(end, position);
            }
        }
        if self.socket(end).in_loss || !self.schedule_loss_probe(end, true) {
            self.rearm_rto(end);
        }
    }

    /// Retransmits the segments that were sent before a segment that has arrived: they are lost
    /// (`tcp_rack_detect_loss`).
    fn mark_lost(&mut self, end: End, sacked: Seq) {
        for position in 0..self.socket(end).queue.len() {
            let flight = &mut self.socket(end).queue[position];
            if flight.end > sacked {
                break;
            }
            if flight.end == sacked {
                flight.sacked = true;
            } else if !flight.sacked {
                self.retransmit(end, position);
            }
        }
    }

    /// An ICMP error (`tcp_v4_err`, `tcp_v6_err`).
    pub(super) fn icmp(&mut self, end: End, seq: Seq, effect: IcmpEffect) {
        let (now, clock) = (self.now, self.clock);
        let socket = self.socket(end);
        if !socket.is_open() || !(socket.una..=socket.nxt).contains(&seq) {
            return;
        }
        if effect.reverts
            && seq == socket.una
            && socket.retransmits > 0
            && socket.backoff > 0
            && let Some(oldest) = socket.queue.front().copied()
        {
            // tcp_ld_RTO_revert
            socket.backoff -= 1;
            socket.reverted = true;
            socket.rto = (socket.first_rto << socket.backoff).min(socket.rto_max);
            let elapsed = clock.ticks_of_micros(now.saturating_sub(oldest.sent) / 1000);
            match socket.rto.checked_sub(elapsed) {
                None | Some(0) => self.retransmission_timer(end),
                Some(left) => self.arm(end, Pending::Retransmission, left),
            }
        }
        let recverr = self.case.connection.end(end).recverr;
        if recverr {
            self.unsettle();
            return;
        }
        self.socket(end).soft_error = Some(effect.errno);
    }
}
