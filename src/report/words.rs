//! Packets, steps and the results of applications, in words.

use super::bases::Bases;
use crate::evidence::StepTaken;
use crate::model::{End, Ended, Moment, Node};
use crate::step::StepKind;
use crate::wire::{IcmpError, IcmpFate, IcmpMessage, Meaning, Neighbouring, ProbeKind, Segment};

/// Formats a time as seconds since zero time, with microseconds.
pub(super) fn time(at: Moment, zero: Moment) -> String {
    let (sign, time) = if at < zero {
        ("-", zero.since(at))
    } else {
        ("", at.since(zero))
    };
    format!("{sign}{}.{:06}", time.as_secs(), time.subsec_micros())
}

/// Formats the TCP header as tcpdump(8) does: `[.] seq 12 ack 12 win 502`.
pub(super) fn header(segment: &Segment, from: End, bases: Bases) -> String {
    let (near, far) = (bases.of(from), bases.of(from.peer()));
    let mut letters = String::new();
    for (set, letter) in [
        (segment.flags.fin, 'F'),
        (segment.flags.syn, 'S'),
        (segment.flags.rst, 'R'),
        (segment.flags.ack, '.'),
    ] {
        if set {
            letters.push(letter);
        }
    }
    let seq = segment.seq.wrapping_sub(near);
    let end = if segment.len > 0 {
        format!(":{}", seq.wrapping_add(segment.len))
    } else {
        String::new()
    };
    let ack = if segment.flags.ack {
        format!(" ack {}", segment.ack.wrapping_sub(far))
    } else {
        String::new()
    };
    format!("[{letters}] seq {seq}{end}{ack} win {}", segment.window)
}

/// Returns the purpose of a segment; empty for an acknowledgement. `probes` is the number of
/// keepalive probes after which the socket gives up.
pub(super) fn meaning(meaning: Meaning, len: u32, probes: Option<u32>) -> String {
    match meaning {
        Meaning::Opens => "open".to_owned(),
        Meaning::Closes => "close".to_owned(),
        Meaning::Resets => "RST".to_owned(),
        Meaning::Data => format!("{len} bytes"),
        Meaning::Retransmission => "retransmission".to_owned(),
        // The persist timer has no limit on the number of probes.
        Meaning::Probe(ProbeKind::Window, number) => format!("window probe {number}"),
        Meaning::Probe(ProbeKind::Keepalive, number) => {
            let of = probes
                .map(|probes| format!(" of {probes}"))
                .unwrap_or_default();
            format!("keepalive probe {number}{of}")
        }
        Meaning::Answer => "the answer to the probe".to_owned(),
        Meaning::Acknowledges => String::new(),
    }
}

pub(super) fn neighbouring(message: Neighbouring) -> String {
    match message {
        Neighbouring::Request { sender, target } if target.is_ipv4() => {
            format!("ARP who has {target}, tell {sender}")
        }
        Neighbouring::Request { target, .. } => format!("NDP who has {target}"),
        Neighbouring::Reply { target } if target.is_ipv4() => format!("ARP {target} is here"),
        Neighbouring::Reply { target } => format!("NDP {target} is here"),
    }
}

/// Describes an ICMP message. `by` is the sending machine, if it is to be named.
pub(super) fn icmp(message: &IcmpMessage, by: Option<Node>) -> String {
    let by = by.map(|node| format!(" ({node})")).unwrap_or_default();
    format!("ICMP {} from {}{by}", message.name(), message.from)
}

/// Describes an ICMP error and how the kernel handles it (`tcp_v4_err`, `tcp_v6_err`).
pub(super) fn icmp_error(error: &IcmpError, by: Option<Node>, seq: u32) -> String {
    let fate = match error.fate {
        IcmpFate::InWindow => "in the window: accepted",
        IcmpFate::OutOfWindow => "ignored: sequence number outside the window",
        IcmpFate::NoConnection => "ignored: the connection is gone",
    };
    format!("{} about seq {seq} ({fate})", icmp(&error.message, by))
}

/// Describes a step that was taken: `fault: crash the server (line 13)`.
pub(super) fn step(step: &StepTaken) -> String {
    let kind = match step.kind {
        StepKind::Fault => "fault: ",
        StepKind::Repair => "repair: ",
        StepKind::Traffic => "",
    };
    let not_taken = match &step.not_taken {
        Some(why) => format!(": not taken: {why}"),
        None => String::new(),
    };
    format!("{kind}{} (line {}){not_taken}", step.what, step.line)
}

/// Describes the result of an application's read.
pub(super) fn read(end: End, ended: Ended) -> String {
    format!("{end}: read: {ended}")
}
