//! One end's view of one connection, segment by segment: probes, answers, activity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acceptance::{Acceptance, Arrival, Window, after};
use super::icmp::{IcmpMessage, Quoted};
use super::segment::{Direction, Segment};
use crate::model::Moment;

/// The purpose of a probe. Both kinds are the same on the wire: an empty segment with the sequence
/// number one below the next one (`tcp_xmit_probe_skb`), which the peer must acknowledge. A probe
/// is a window probe if the last window that its sender was offered is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProbeKind {
    /// Tests whether the peer is alive: keepalive (RFC 1122 4.2.3.6).
    Keepalive,
    /// Tests whether the peer's window is still closed: the persist timer (RFC 9293 3.8.6.1).
    Window,
}

/// A probe that this end sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Probe {
    /// The purpose of the probe.
    pub(crate) kind: ProbeKind,
    /// When it was sent.
    pub(crate) sent: Moment,
    /// When the bare acknowledgement arrived that answered it. `None` if none arrived, or if this
    /// end sent payload before.
    pub(crate) answered: Option<Moment>,
}

/// The purpose of a segment, from the point of view of the end that sends or receives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It opens the connection: SYN or SYN-ACK.
    Opens,
    /// It closes one direction: FIN.
    Closes,
    /// RST.
    Resets,
    /// Payload for the first time.
    Data,
    /// Payload, SYN or FIN that was sent before.
    Retransmission,
    /// A probe, with the number of probes that this end has sent since the last sign of life,
    /// including this one. For a probe of the peer, the number is always 1.
    Probe(ProbeKind, u32),
    /// The bare acknowledgement that answers a probe.
    Answer,
    /// Any other bare acknowledgement.
    Acknowledges,
}

/// An ICMP error that quotes a segment of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct IcmpError {
    /// When it arrived.
    pub(crate) at: Moment,
    /// The message, with its sender.
    pub(crate) message: IcmpMessage,
    /// How the kernel treats it.
    pub(crate) fate: IcmpFate,
}

/// How `tcp_v4_err` and `tcp_v6_err` treat an ICMP error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IcmpFate {
    /// The quoted sequence number lies between `snd_una` and `snd_nxt`, so the error takes effect.
    InWindow,
    /// It lies outside this range. The kernel ignores the error and counts it in
    /// `TcpExt:OutOfWindowIcmps`.
    OutOfWindow,
    /// This end has already given up the connection and sent a RST. The error is about that RST.
    NoConnection,
}

/// A write of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Write {
    /// The time right before the system call.
    pub at: Moment,
    /// The total number of bytes written, including this write.
    pub(crate) end: usize,
}

/// One end's view of one connection, followed segment by segment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Track {
    /// The sequence numbers of the first payload that this end sends and receives. All other
    /// sequence numbers here are relative to these, so that they are the same in every run.
    #[serde(skip)]
    first: (Option<u32>, Option<u32>),
    /// Whether this end has sent a probe that is not answered, and no payload after it. The next
    /// bare acknowledgement that arrives answers the probe.
    awaits_answer: bool,
    /// Whether the peer has sent a probe that is not answered. The next bare acknowledgement that
    /// this end sends answers it.
    owes_answer: bool,
    /// Probes sent since the last sign of life.
    unanswered: u32,
    /// The last window that this end offered, unscaled.
    offers: Option<u16>,
    /// The last window that the peer offered, unscaled.
    offered: Option<u16>,
    /// The next sequence number that this end will send (`snd_nxt`).
    next_out: Option<u32>,
    /// The highest sequence number that this end has received.
    next_in: Option<u32>,
    /// The next sequence number that this end expects (`rcv_nxt`). If it is below `next_in`, there
    /// is a gap.
    #[serde(skip)]
    expected: Option<u32>,
    /// The data received after a gap: its first sequence number, the one after its end, and whether
    /// it is the FIN.
    #[serde(skip)]
    held: Vec<(u32, u32, bool)>,
    /// The highest acknowledgement that this end has received (`snd_una`).
    acked: Option<u32>,
    /// The first transmissions of payload, SYN and FIN, which take sequence numbers: the time, and
    /// the sequence number after the segment.
    sent: Vec<(Moment, u32)>,
    /// Decides whether a received segment is a sign of life.
    #[serde(skip)]
    acceptance: Acceptance,
    /// The probes, in the order of sending.
    pub(crate) probes: Vec<Probe>,
    /// The times of the received segments that the kernel counts as a sign of life.
    received: Vec<Moment>,
    /// The times at which payload, SYN or FIN was retransmitted.
    pub(crate) retransmissions: Vec<Moment>,
    /// The times at which this end sent a RST.
    pub rst_sent: Vec<Moment>,
    /// The times at which a RST arrived.
    pub(crate) rst_received: Vec<Moment>,
    /// When the peer's FIN and all data before it had been received.
    pub(crate) fin_received: Option<Moment>,
    /// When the RST arrived that the kernel accepts. A RST that is out of order is only answered
    /// with a challenge ACK (RFC 5961 section 3).
    pub(crate) reset: Option<Moment>,
    /// The ICMP errors that arrived.
    pub(crate) icmp: Vec<IcmpError>,
}

impl ProbeKind {
    fn with(window: Option<u16>) -> Self {
        match window {
            Some(0) => Self::Window,
            _ => Self::Keepalive,
        }
    }
}

impl Track {
    /// Records one more segment and returns its purpose.
    pub(crate) fn observe(&mut self, segment: &Segment) -> Meaning {
        match segment.direction {
            Direction::Out => self.observe_out(segment),
            Direction::In => self.observe_in(segment),
        }
    }

    fn observe_out(&mut self, segment: &Segment) -> Meaning {
        if segment.flags.rst {
            self.rst_sent.push(segment.at);
            return Meaning::Resets;
        }
        let seq = relative(&mut self.first.0, segment);
        self.offers = Some(segment.window);
        if let Some(ack) = segment.relative_ack(self.first.1) {
            self.acceptance.sent(ack);
        }
        if segment.is_bare() && self.next_out == Some(seq.wrapping_add(1)) {
            let kind = ProbeKind::with(self.offered);
            self.probes.push(Probe {
                kind,
                sent: segment.at,
                answered: None,
            });
            self.awaits_answer = true;
            self.unanswered += 1;
            return Meaning::Probe(kind, self.unanswered);
        }
        // After payload is sent, an acknowledgement is for the payload and does not count as an
        // answer to the probe.
        self.awaits_answer &= segment.len == 0;
        let owes_answer = std::mem::take(&mut self.owes_answer);
        if segment.is_bare() {
            // The next sequence number can be higher than expected: payload that the end's own host
            // dropped was not captured.
            if self.next_out.is_none_or(|next| after(seq, next)) {
                self.next_out = Some(seq);
            }
            return if owes_answer {
                Meaning::Answer
            } else {
                Meaning::Acknowledges
            };
        }
        let end = segment_end(seq, segment);
        if self.next_out.is_some_and(|next| !after(end, next)) {
            self.retransmissions.push(segment.at);
            return Meaning::Retransmission;
        }
        self.sent.push((segment.at, end));
        self.next_out = Some(end);
        segment.purpose()
    }

    fn observe_in(&mut self, segment: &Segment) -> Meaning {
        if segment.flags.rst {
            self.rst_received.push(segment.at);
            if self.is_accepted_rst(segment) {
                self.reset.get_or_insert(segment.at);
            }
            return Meaning::Resets;
        }
        let seq = relative(&mut self.first.1, segment);
        let arrival = Arrival {
            seq,
            end: segment_end(seq, segment),
            ack: segment.relative_ack(self.first.0),
        };
        let window = Window {
            next_in: self.expected,
            next_out: self.next_out,
            acked: self.acked,
        };
        let is_sign_of_life = (self.acceptance).is_sign_of_life(segment, arrival, window);
        // The peer's probe is outside the window. The kernel answers it, but does not count it as a
        // sign of life (tcp_validate_incoming).
        if segment.is_bare() && self.next_in == Some(seq.wrapping_add(1)) {
            self.owes_answer = true;
            return Meaning::Probe(ProbeKind::with(self.offers), 1);
        }
        let end = arrival.end;
        let is_new = self.next_in.is_none_or(|next| after(end, next));
        if is_sign_of_life {
            self.take_in(segment, arrival, is_new);
        }
        if !segment.is_bare() {
            return if is_new {
                segment.purpose()
            } else {
                Meaning::Retransmission
            };
        }
        match self.probes.last_mut() {
            Some(probe) if is_sign_of_life && std::mem::take(&mut self.awaits_answer) => {
                probe.answered = Some(segment.at);
                Meaning::Answer
            }
            _ => Meaning::Acknowledges,
        }
    }

    /// Records a segment that the kernel counts as a sign of life.
    fn take_in(&mut self, segment: &Segment, arrival: Arrival, is_new: bool) {
        if let Some(ack) = arrival.ack
            && self.acked.is_none_or(|acked| after(ack, acked))
        {
            self.acked = Some(ack);
        }
        self.offered = Some(segment.window);
        self.received.push(segment.at);
        self.unanswered = 0;
        if is_new {
            self.next_in = Some(arrival.end);
        }
        self.held
            .push((arrival.seq, arrival.end, segment.flags.fin));
        let before = self.expected;
        while let Some(place) = self.next_in_order() {
            let (_, end, fin) = self.held.swap_remove(place);
            if self.expected.is_none_or(|expected| after(end, expected)) {
                self.expected = Some(end);
            }
            if fin {
                self.fin_received.get_or_insert(segment.at);
            }
        }
        // The data after a gap is held. The data before the gap is acknowledged.
        if let Some(expected) = self.expected.filter(|_| self.expected != before) {
            self.acceptance.received(segment.at, expected);
        }
    }

    /// Returns the index of held data that has no gap before it.
    fn next_in_order(&self) -> Option<usize> {
        let in_order = |(seq, ..): &(u32, u32, bool)| {
            self.expected.is_none_or(|expected| !after(*seq, expected))
        };
        self.held.iter().position(in_order)
    }

    /// Returns whether the kernel accepts a RST (`tcp_validate_incoming`, `tcp_reset_check`): one
    /// in order, one with the sequence number of the peer's FIN, one at the end of the last
    /// selective acknowledgement, and any that answers a SYN.
    fn is_accepted_rst(&self, segment: &Segment) -> bool {
        let (Some(first), Some(expected)) = (self.first.1, self.expected) else {
            return true;
        };
        let seq = segment.seq.wrapping_sub(first);
        let last_held = self.held.iter().map(|(_, end, _)| *end);
        let last_held = last_held.reduce(|a, b| if after(a, b) { a } else { b });
        seq == expected
            || (self.fin_received.is_some() && seq == expected.wrapping_sub(1))
            || last_held == Some(seq)
    }

    /// Records an ICMP error that quotes a segment of this connection.
    pub(crate) fn observe_icmp(
        &mut self,
        at: Moment,
        message: IcmpMessage,
        quoted: Quoted,
    ) -> IcmpError {
        let seq = self.first.0.map(|first| quoted.seq.wrapping_sub(first));
        // Before the first acknowledgement, the SYN is unacknowledged. Its sequence number is one
        // below that of the first payload.
        let una = self.acked.unwrap_or(0_u32.wrapping_sub(1));
        let fate = match (seq, self.next_out) {
            _ if !self.rst_sent.is_empty() => IcmpFate::NoConnection,
            // between(seq, snd_una, snd_nxt)
            (Some(seq), Some(next)) if !after(una, seq) && !after(seq, next) => IcmpFate::InWindow,
            _ => IcmpFate::OutOfWindow,
        };
        let error = IcmpError { at, message, fate };
        self.icmp.push(error);
        error
    }

    /// Returns the time of the last sign of life before `moment`. A sign of life at `moment` itself
    /// does not count: in virtual time, a probe is answered in the same nanosecond in which it is
    /// sent.
    #[must_use]
    pub fn last_received_before(&self, moment: Moment) -> Option<Moment> {
        self.received.iter().rev().find(|at| **at < moment).copied()
    }

    /// Returns the probes that were sent at this moment or later.
    #[must_use]
    pub(crate) fn probes_since(&self, moment: Moment) -> &[Probe] {
        &self.probes[self.probes.partition_point(|probe| probe.sent < moment)..]
    }

    /// Returns the time of the first transmission of the oldest sequence number that the peer has
    /// not acknowledged: payload, SYN or FIN. If the end's own host had no route, the segment was
    /// never on the wire. The time is then that of the system call that wrote the data, because the
    /// kernel tried to send it at that time.
    #[must_use]
    pub(crate) fn first_unacknowledged(&self, writes: &[Write]) -> Option<Moment> {
        let mut sent = self.sent.iter();
        let Some(acked) = self.acked else {
            return sent.next().map(|(at, _)| *at);
        };
        let transmission = sent.find(|(_, end)| after(*end, acked));
        let mut writes = writes.iter();
        let mut written = || writes.find(|write| after(sequence(write.end), acked));
        transmission
            .map(|(at, _)| *at)
            .or_else(|| written().map(|write| write.at))
    }

    /// Returns whether the `written` bytes have all been sent and acknowledged.
    #[must_use]
    pub(crate) fn is_quiet(&self, written: usize) -> bool {
        let end = Some(sequence(written));
        self.next_out == end && self.acked == end
    }
}

impl Segment {
    /// Returns whether the segment has neither payload nor a control bit that takes a sequence
    /// number.
    fn is_bare(&self) -> bool {
        self.len == 0 && !self.flags.syn && !self.flags.fin
    }

    /// Returns the acknowledgement relative to the first payload of the other direction, or `None`
    /// if the segment has none.
    fn relative_ack(&self, first: Option<u32>) -> Option<u32> {
        let first = first.filter(|_| self.flags.ack)?;
        Some(self.ack.wrapping_sub(first))
    }

    /// Returns the purpose of a segment that is not bare.
    fn purpose(&self) -> Meaning {
        if self.flags.syn {
            Meaning::Opens
        } else if self.flags.fin {
            Meaning::Closes
        } else {
            Meaning::Data
        }
    }
}

/// Returns the relative sequence number after `written` bytes of payload. It wraps like a `u32`.
fn sequence(written: usize) -> u32 {
    written as u32
}

/// Returns the segment's sequence number relative to the first payload of its direction. A SYN
/// takes the number before that.
fn relative(first: &mut Option<u32>, segment: &Segment) -> u32 {
    let payload = segment.seq.wrapping_add(u32::from(segment.flags.syn));
    segment.seq.wrapping_sub(*first.get_or_insert(payload))
}

/// Returns the sequence number after the segment. SYN and FIN take one each (RFC 9293 section 3.4).
fn segment_end(seq: u32, segment: &Segment) -> u32 {
    let control = u32::from(segment.flags.syn) + u32::from(segment.flags.fin);
    seq.wrapping_add(segment.len).wrapping_add(control)
}

#[cfg(test)]
mod tests;
