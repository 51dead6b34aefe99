//! The captured frames of both hosts, merged in order, each decoded as its host sees it.

mod order;

use std::collections::HashMap;

use super::bases::Bases;
use super::words;
use crate::evidence::{Captured, Evidence};
use crate::model::{EffectiveKeepalive, End, Node};
use crate::prepare::Prepared;
use crate::wire::{
    Direction, Frame, IcmpError, IcmpMessage, Meaning, Neighbouring, Packet, Segment, Track,
};

/// A frame as one host captured it, decoded.
#[derive(Debug)]
pub(super) struct CapturedPacket<'a> {
    pub(super) end: End,
    pub(super) frame: &'a Frame,
    /// The number of frames of that host that were not kept, if they came between the previous
    /// frame and this one.
    pub(super) lost_before: Option<u64>,
    pub(super) decoded: Decoded,
    /// For a frame that left the host: the same frame at the other host, if it arrived there.
    pub(super) arrival: Option<&'a Frame>,
    /// For a frame that arrived: whether it was captured when it left the other host.
    pub(super) was_seen_leaving: bool,
}

/// The meaning of a frame.
#[derive(Debug)]
pub(super) enum Decoded {
    /// A segment of a connection.
    Segment {
        segment: Segment,
        meaning: Meaning,
        bases: Bases,
    },
    /// An ARP or NDP message. These messages do not leave their link.
    Neighbour(Neighbouring),
    /// A received ICMP error that quotes a segment of a connection. `seq` is the quoted sequence
    /// number, relative to [`Bases`].
    Error {
        error: IcmpError,
        connection: u16,
        seq: u32,
    },
    /// Any other ICMP message that may concern the case.
    Icmp(IcmpMessage),
    /// A frame that does not concern the case.
    Other,
}

/// Returns all frames of both hosts, ordered by time. Among frames with the same time, as in
/// virtual time, the departure of a frame comes before its arrival.
pub(super) fn packets(evidence: &Evidence) -> Vec<CapturedPacket<'_>> {
    let bases = bases(&evidence.captures);
    let at = |end: End| {
        let capture = evidence.capture(end.node());
        capture.map_or_else(Vec::new, |capture| decode(end, capture, &bases))
    };
    order::ordered(at(End::Client), at(End::Server))
}

impl CapturedPacket<'_> {
    /// Returns the end that the frame comes from: this host, or the other one. A frame from a
    /// machine between the hosts counts as from the other one.
    pub(super) fn sender(&self) -> End {
        match self.frame.direction {
            Direction::Out => self.end,
            Direction::In => self.end.peer(),
        }
    }

    /// Returns the connection (the client's port) that the frame concerns, if it is only one.
    pub(super) fn connection(&self) -> Option<u16> {
        match self.decoded {
            Decoded::Segment { segment, .. } => Some(segment.connection),
            Decoded::Error { connection, .. } => Some(connection),
            Decoded::Neighbour(_) | Decoded::Icmp(_) | Decoded::Other => None,
        }
    }

    /// Returns the purpose of the frame in words; empty if there is nothing to explain.
    pub(super) fn purpose(&self, prepared: &Prepared) -> String {
        let network = &prepared.network;
        // A single router need not be named.
        let by = |message: &IcmpMessage| {
            let owner = network.owner(message.from)?;
            (network.routers().count() > 1).then_some(owner)
        };
        match &self.decoded {
            Decoded::Segment {
                segment, meaning, ..
            } => {
                let keepalive = prepared.case.connection.end(self.sender()).keepalive;
                let probes = keepalive.map(|keepalive| EffectiveKeepalive::new(keepalive).probes);
                words::meaning(*meaning, segment.len, probes)
            }
            Decoded::Neighbour(message) => words::neighbouring(*message),
            Decoded::Error { error, seq, .. } => words::icmp_error(error, by(&error.message), *seq),
            Decoded::Icmp(message) => words::icmp(message, by(message)),
            Decoded::Other => String::new(),
        }
    }
}

/// Returns the initial sequence numbers of each connection: those of the two SYN segments, or of
/// the first captured segments if the SYN segments were not captured.
fn bases(captures: &[Captured]) -> HashMap<u16, Bases> {
    let mut known: HashMap<u16, (Option<u32>, Option<u32>)> = HashMap::new();
    for capture in captures {
        for frame in &capture.frames.items {
            let Packet::Tcp(segment) = Packet::of(frame) else {
                continue;
            };
            let (client, server) = known.entry(segment.connection).or_default();
            let from_client = (capture.node == Node::CLIENT) == (frame.direction == Direction::Out);
            let base = if from_client { client } else { server };
            base.get_or_insert(segment.seq);
        }
    }
    let bases = |(client, server): (Option<u32>, Option<u32>)| Bases {
        client: client.unwrap_or_default(),
        server: server.unwrap_or_default(),
    };
    known
        .into_iter()
        .map(|(connection, found)| (connection, bases(found)))
        .collect()
}

/// Decodes the frames of one host.
fn decode<'a>(
    end: End,
    capture: &'a Captured,
    bases: &HashMap<u16, Bases>,
) -> Vec<CapturedPacket<'a>> {
    let mut decoder = Decoder {
        end,
        bases,
        tracks: HashMap::new(),
    };
    let kept = &capture.frames;
    let frames = kept.items.iter().enumerate();
    frames
        .map(|(place, frame)| CapturedPacket {
            end,
            frame,
            lost_before: (place == kept.cut_before && kept.cut > 0).then_some(kept.cut),
            decoded: decoder.decode(frame),
            arrival: None,
            was_seen_leaving: false,
        })
        .collect()
}

/// Decodes the frames of one host, with the state of its connections after each frame.
struct Decoder<'a> {
    end: End,
    bases: &'a HashMap<u16, Bases>,
    tracks: HashMap<u16, Track>,
}

impl Decoder<'_> {
    fn decode(&mut self, frame: &Frame) -> Decoded {
        match Packet::of(frame) {
            Packet::Tcp(segment) => Decoded::Segment {
                segment,
                meaning: self.follow(frame, segment.connection, |track| track.observe(&segment)),
                bases: self.bases(segment.connection),
            },
            Packet::Neighbour(message) => Decoded::Neighbour(message),
            Packet::Icmp(message) if message.is_chatter() => Decoded::Other,
            Packet::Icmp(message) => match message.quoted {
                Some(about) if frame.direction == Direction::In => Decoded::Error {
                    error: self.follow(frame, about.connection, |track| {
                        track.observe_icmp(frame.at, message, about)
                    }),
                    connection: about.connection,
                    seq: about
                        .seq
                        .wrapping_sub(self.bases(about.connection).of(self.end)),
                },
                _ => Decoded::Icmp(message),
            },
            Packet::Other => Decoded::Other,
        }
    }

    /// Applies `observe` to the state of the frame's connection. A frame that reaches a silent host
    /// does not change that state.
    fn follow<T>(
        &mut self,
        frame: &Frame,
        connection: u16,
        observe: impl FnOnce(&mut Track) -> T,
    ) -> T {
        let track = self.tracks.entry(connection).or_default();
        if frame.unheard {
            observe(&mut track.clone())
        } else {
            observe(track)
        }
    }

    fn bases(&self, connection: u16) -> Bases {
        self.bases.get(&connection).copied().unwrap_or_default()
    }
}
