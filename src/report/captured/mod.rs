//! The frames that the hosts saw, each with its meaning there, in one order.

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

/// A frame at one host, with its meaning there.
#[derive(Debug)]
pub(super) struct CapturedPacket<'a> {
    pub(super) end: End,
    pub(super) frame: &'a Frame,
    /// How many frames of that host came before it and after the one before, and were not kept.
    pub(super) lost_before: Option<u64>,
    pub(super) told: Told,
    /// Where it is seen to arrive, if it left and was.
    pub(super) arrival: Option<&'a Frame>,
    /// Whether it arrives, and was seen to leave.
    pub(super) was_seen_leaving: bool,
}

/// What a frame means.
#[derive(Debug)]
pub(super) enum Told {
    /// A segment of a connection.
    Segment {
        segment: Segment,
        meaning: Meaning,
        bases: Bases,
    },
    /// ARP or NDP, which go no further than the network that they are on.
    Neighbour(Neighbouring),
    /// An ICMP error that came in about a segment of a connection; its sequence number counts as
    /// those of [`Bases`].
    Error {
        error: IcmpError,
        connection: u16,
        seq: u32,
    },
    /// Any other ICMP message that may have to do with the case.
    Icmp(IcmpMessage),
    /// Nothing of the case.
    Other,
}

/// All frames of both hosts: by time, and where that is the same, as in virtual time, what arrives
/// behind what has left.
pub(super) fn packets(evidence: &Evidence) -> Vec<CapturedPacket<'_>> {
    let bases = bases(&evidence.captures);
    let at = |end: End| {
        let capture = evidence.capture(end.node());
        capture.map_or_else(Vec::new, |capture| told(end, capture, &bases))
    };
    order::ordered(at(End::Client), at(End::Server))
}

impl CapturedPacket<'_> {
    /// Who sent it, as far as it was one of the hosts.
    pub(super) fn sender(&self) -> End {
        match self.frame.direction {
            Direction::Out => self.end,
            Direction::In => self.end.peer(),
        }
    }

    /// The connection that it has to do with, if it is one alone.
    pub(super) fn connection(&self) -> Option<u16> {
        match self.told {
            Told::Segment { segment, .. } => Some(segment.connection),
            Told::Error { connection, .. } => Some(connection),
            Told::Neighbour(_) | Told::Icmp(_) | Told::Other => None,
        }
    }

    /// What it is for, in words; empty where there is nothing to say.
    pub(super) fn purpose(&self, prepared: &Prepared) -> String {
        let network = &prepared.network;
        // Of one router there is nothing to tell.
        let by = |message: &IcmpMessage| {
            let owner = network.owner(message.from)?;
            (network.routers().count() > 1).then_some(owner)
        };
        match &self.told {
            Told::Segment {
                segment, meaning, ..
            } => {
                let keepalive = prepared.case.connection.end(self.sender()).keepalive;
                let probes = keepalive.map(|keepalive| EffectiveKeepalive::new(keepalive).probes);
                words::meaning(*meaning, segment.len, probes)
            }
            Told::Neighbour(message) => words::neighbouring(*message),
            Told::Error { error, seq, .. } => words::icmp_error(error, by(&error.message), *seq),
            Told::Icmp(message) => words::icmp(message, by(message)),
            Told::Other => String::new(),
        }
    }
}

/// By connection, the sequence numbers of the two SYN segments; of the first segments, where those
/// are not there.
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

/// The frames of one host with their meaning.
fn told<'a>(
    end: End,
    capture: &'a Captured,
    bases: &HashMap<u16, Bases>,
) -> Vec<CapturedPacket<'a>> {
    let mut listener = Listener {
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
            told: listener.hear(frame),
            arrival: None,
            was_seen_leaving: false,
        })
        .collect()
}

/// What one host knows of its connections, from frame to frame.
struct Listener<'a> {
    end: End,
    bases: &'a HashMap<u16, Bases>,
    tracks: HashMap<u16, Track>,
}

impl Listener<'_> {
    fn hear(&mut self, frame: &Frame) -> Told {
        match Packet::of(frame) {
            Packet::Tcp(segment) => Told::Segment {
                segment,
                meaning: self.follow(frame, segment.connection, |track| track.observe(&segment)),
                bases: self.bases(segment.connection),
            },
            Packet::Neighbour(message) => Told::Neighbour(message),
            Packet::Icmp(message) if message.is_chatter() => Told::Other,
            Packet::Icmp(message) => match message.quoted {
                Some(about) if frame.direction == Direction::In => Told::Error {
                    error: self.follow(frame, about.connection, |track| {
                        track.observe_icmp(frame.at, message, about)
                    }),
                    connection: about.connection,
                    seq: about
                        .seq
                        .wrapping_sub(self.bases(about.connection).of(self.end)),
                },
                _ => Told::Icmp(message),
            },
            Packet::Other => Told::Other,
        }
    }

    /// A host that is silent learns nothing from what reaches it.
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
