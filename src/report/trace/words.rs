//! Packets in words.

use super::Mark;
use crate::clock::Moment;
use crate::wire::{IcmpError, IcmpFate, Meaning, Neighbouring, Segment};

/// Seconds from zero time, to the microsecond.
pub(super) fn time(at: Moment, zero: Moment) -> String {
    let (sign, time) = if at < zero {
        ("-", zero.since(at))
    } else {
        ("", at.since(zero))
    };
    format!("{sign}{}.{:06}", time.as_secs(), time.subsec_micros())
}

/// Where each direction's sequence numbers begin, so that the first byte has number 1.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bases {
    pub(super) client: u32,
    pub(super) server: u32,
}

/// `[.] seq 12 ack 12 win 502`, as tcpdump has it.
pub(super) fn header(segment: &Segment, from_client: bool, bases: Bases) -> String {
    let (near, far) = if from_client {
        (bases.client, bases.server)
    } else {
        (bases.server, bases.client)
    };
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

/// What a segment is for; `probes` is how many the socket sends before it gives up.
pub(super) fn meaning(meaning: Meaning, len: u32, probes: Option<u32>) -> (String, Mark) {
    match meaning {
        Meaning::Opens => ("open".to_owned(), Mark::Plain),
        Meaning::Closes => ("close".to_owned(), Mark::Plain),
        Meaning::Resets => ("RST".to_owned(), Mark::Trouble),
        Meaning::Data => (format!("{len} bytes"), Mark::Plain),
        Meaning::Retransmission => ("retransmission".to_owned(), Mark::Trouble),
        Meaning::Probe(number) => {
            let of = probes
                .map(|probes| format!(" of {probes}"))
                .unwrap_or_default();
            (format!("keepalive probe {number}{of}"), Mark::Probe)
        }
        Meaning::Answer => ("the answer to the probe".to_owned(), Mark::Probe),
        Meaning::Acknowledges => (String::new(), Mark::Plain),
    }
}

pub(super) fn neighbouring(message: Neighbouring) -> String {
    match message {
        Neighbouring::Asks { sender, target } if target.is_ipv4() => {
            format!("ARP who has {target}, tell {sender}")
        }
        Neighbouring::Asks { target, .. } => format!("NDP who has {target}"),
        Neighbouring::Answers { target } if target.is_ipv4() => format!("ARP {target} is here"),
        Neighbouring::Answers { target } => format!("NDP {target} is here"),
    }
}

/// What becomes of an error follows from `tcp_v4_err` and `tcp_v6_err`.
pub(super) fn icmp(error: &IcmpError, seq: u32) -> String {
    let fate = match error.fate {
        IcmpFate::InWindow => "in the window: it counts",
        IcmpFate::OutOfWindow => "ignored: sequence number outside the window",
        IcmpFate::NoConnection => "ignored: the connection is gone",
    };
    format!(
        "ICMP {} from {} about seq {seq} ({fate})",
        error.message.name(),
        error.message.from
    )
}
