//! One end's view of one connection, segment by segment: probes, answers, activity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acceptance::{Acceptance, Arrival, Window, after};
use super::icmp::{IcmpMessage, Quoted};
use super::segment::{Direction, Segment};
use crate::model::Moment;

/// What a probe kind. On the wire both are the same, an empty segment one below the next sequence
/// number (`tcp_xmit_probe_skb`), which the peer must acknowledge; what differs is the window that
/// it had last been offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// Whether the peer is there: keepalive (RFC 1122 4.2.3.6).
    Keepalive,
    /// Whether its window is still closed: the persist timer (RFC 9293 3.8.6.1).
    Window,
}

/// A probe that this end sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// What it kind.
    pub kind: ProbeKind,
    /// When it went out.
    pub sent: Moment,
    /// When the bare acknowledgement came in that answered it, before anything else was sent.
    pub answered: Option<Moment>,
}

/// What a segment is for, seen from the end that sends or receives it.
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
    /// What was sent before: payload, SYN or FIN.
    Retransmission,
    /// A probe; how many there have been since the last sign of life, this one included.
    Probe(ProbeKind, u32),
    /// The bare acknowledgement that answers one.
    Answer,
    /// Any other bare acknowledgement.
    Acknowledges,
}

/// An ICMP error about a segment of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IcmpError {
    /// When it came in.
    pub at: Moment,
    /// What it says, and who says so.
    pub message: IcmpMessage,
    /// What the kernel makes of it.
    pub(crate) fate: IcmpFate,
}

/// What `tcp_v4_err` and `tcp_v6_err` make of an ICMP error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IcmpFate {
    /// The segment lies between what was acknowledged and what was sent last, so the error counts.
    InWindow,
    /// It does not: the error is ignored, and counted in `TcpExt:OutOfWindowIcmps`.
    OutOfWindow,
    /// The connection had been given up: the error is about its RST.
    NoConnection,
}

/// Bytes that the application wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Write {
    /// Right before the system call.
    pub at: Moment,
    /// How many bytes had been written in all, these included.
    pub end: usize,
}

/// One end's view of one connection, followed segment by segment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Track {
    /// The sequence numbers of the first payload that this end sends and receives; all others here
    /// are relative to these, so that they are the same in every run.
    #[serde(skip)]
    first: (Option<u32>, Option<u32>),
    /// Whether the last segment sent was a probe, and nothing has answered it: a bare
    /// acknowledgement that comes now does.
    awaits_answer: bool,
    /// Whether the last that came in was the peer's probe: a bare acknowledgement that goes out
    /// now answers it.
    owes_answer: bool,
    /// Probes sent since the last sign of life.
    unanswered: u32,
    /// The window that this end offered last, and the one that it was offered, both as the header
    /// has it.
    offers: Option<u16>,
    offered: Option<u16>,
    /// The next sequence number that this end will send (`snd_nxt`).
    next_out: Option<u32>,
    /// The highest that it has received.
    next_in: Option<u32>,
    /// The next that it expects (`rcv_nxt`): behind it there may be a gap.
    #[serde(skip)]
    expected: Option<u32>,
    /// What has come behind a gap: from and up to which sequence number, and whether it is the
    /// FIN.
    #[serde(skip)]
    held: Vec<(u32, u32, bool)>,
    /// Highest acknowledgement that came in (`snd_una`).
    acked: Option<u32>,
    /// First transmissions of what takes sequence numbers, payload, SYN and FIN: when, and the
    /// sequence number behind it.
    sent: Vec<(Moment, u32)>,
    /// What decides whether a segment that comes in is a sign of life.
    #[serde(skip)]
    acceptance: Acceptance,
    /// In the order of sending.
    pub probes: Vec<Probe>,
    /// The segments that came in and that the kernel takes as a sign of life.
    received: Vec<Moment>,
    /// When payload, SYN or FIN went out once more.
    pub retransmissions: Vec<Moment>,
    /// When this end sent a RST.
    pub rst_sent: Vec<Moment>,
    /// When a RST came in.
    pub rst_received: Vec<Moment>,
    /// When the peer's FIN was received, with all that came before it.
    pub fin_received: Option<Moment>,
    /// When the RST came in that the kernel takes; one that is out of order is only challenged
    /// (RFC 5961 section 3).
    pub reset: Option<Moment>,
    /// The ICMP errors that came in.
    pub icmp: Vec<IcmpError>,
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
    /// Takes one more segment into account; what it is for.
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
        // What acknowledges new data answers no probe any more.
        self.awaits_answer &= segment.len == 0;
        let owes_answer = std::mem::take(&mut self.owes_answer);
        if segment.is_bare() {
            // Payload that its own host dropped was never seen.
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
            if self.is_taken(segment) {
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
        let counts = (self.acceptance).is_sign_of_life(segment, arrival, window);
        // The peer's own probe is out of the window: it is answered, but is no sign of life
        // (tcp_validate_incoming).
        if segment.is_bare() && self.next_in == Some(seq.wrapping_add(1)) {
            self.owes_answer = true;
            return Meaning::Probe(ProbeKind::with(self.offers), 1);
        }
        let end = arrival.end;
        let is_new = self.next_in.is_none_or(|next| after(end, next));
        if counts {
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
            Some(probe) if counts && std::mem::take(&mut self.awaits_answer) => {
                probe.answered = Some(segment.at);
                Meaning::Answer
            }
            _ => Meaning::Acknowledges,
        }
    }

    /// Takes a segment into account that the kernel takes as a sign of life.
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
        // What is behind a gap is kept, and what is before the gap is acknowledged.
        if let Some(expected) = self.expected.filter(|_| self.expected != before) {
            self.acceptance.received(segment.at, expected);
        }
    }

    /// The place of something that no gap is before.
    fn next_in_order(&self) -> Option<usize> {
        let in_order = |(seq, ..): &(u32, u32, bool)| {
            self.expected.is_none_or(|expected| !after(*seq, expected))
        };
        self.held.iter().position(in_order)
    }

    /// Whether the kernel takes a RST (`tcp_validate_incoming`, `tcp_reset_check`): one in order,
    /// one right before the peer's FIN, one at the end of the last selective acknowledgement,
    /// and any that answers a SYN.
    fn is_taken(&self, segment: &Segment) -> bool {
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

    /// Takes an ICMP error into account that quotes a segment of this connection.
    pub(crate) fn observe_icmp(
        &mut self,
        at: Moment,
        message: IcmpMessage,
        quoted: Quoted,
    ) -> IcmpError {
        let seq = self.first.0.map(|first| quoted.seq.wrapping_sub(first));
        // Before the first acknowledgement, the SYN is what is not acknowledged: the number before
        // the first payload.
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

    /// The last sign of life that came in before that moment. Not at that moment: in virtual time a
    /// probe is answered in the very nanosecond in which it is sent.
    #[must_use]
    pub fn last_received_before(&self, moment: Moment) -> Option<Moment> {
        self.received.iter().rev().find(|at| **at < moment).copied()
    }

    /// The probes that went out at this moment or later.
    #[must_use]
    pub(crate) fn probes_since(&self, moment: Moment) -> &[Probe] {
        &self.probes[self.probes.partition_point(|probe| probe.sent < moment)..]
    }

    /// The first transmission of the oldest sequence number that the peer has not acknowledged:
    /// payload, SYN or FIN. What its own host could not route was never on the wire: then the
    /// system call that wrote it, which is when the kernel tried.
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

    /// Whether the bytes that were written so far have all been sent and acknowledged.
    #[must_use]
    pub(crate) fn is_quiet(&self, written: usize) -> bool {
        let end = Some(sequence(written));
        self.next_out == end && self.acked == end
    }
}

impl Segment {
    /// Neither payload nor a control bit that takes a sequence number.
    fn is_bare(&self) -> bool {
        self.len == 0 && !self.flags.syn && !self.flags.fin
    }

    /// The acknowledgement relative to the first payload of the other direction.
    fn relative_ack(&self, first: Option<u32>) -> Option<u32> {
        let first = first.filter(|_| self.flags.ack)?;
        Some(self.ack.wrapping_sub(first))
    }

    /// What a segment is for that is not bare.
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

/// The relative sequence number behind so many bytes of payload. It wraps where a u32 does.
fn sequence(written: usize) -> u32 {
    written as u32
}

/// The segment's sequence number relative to the first payload of its direction. A SYN takes the
/// number before that.
fn relative(first: &mut Option<u32>, segment: &Segment) -> u32 {
    let payload = segment.seq.wrapping_add(u32::from(segment.flags.syn));
    segment.seq.wrapping_sub(*first.get_or_insert(payload))
}

/// The sequence number behind the segment: SYN and FIN take one each (RFC 9293 section 3.4).
fn segment_end(seq: u32, segment: &Segment) -> u32 {
    let control = u32::from(segment.flags.syn) + u32::from(segment.flags.fin);
    seq.wrapping_add(segment.len).wrapping_add(control)
}

#[cfg(test)]
mod tests;
