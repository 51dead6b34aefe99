//! Frames that left one host, each with its arrival at the other.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};

use super::words::{self, Bases};
use super::{Lanes, Line, Mark, Source};
use crate::evidence::{Captured, Frame};
use crate::oracle::keepalive::EffectiveKeepalive;
use crate::outcome::Observation;
use crate::prepare::Prepared;
use crate::scenario::model::{End, Node};
use crate::wire::{Direction, Meaning, Packet, Segment, Track};

/// A frame at one host, with its meaning there.
struct Seen<'a> {
    end: End,
    frame: &'a Frame,
    meaning: Told,
    /// Where the frame that left is seen to arrive.
    arrived: Option<&'a Frame>,
}

/// What a frame means, as far as the timeline tells it.
enum Told {
    Segment(Segment, Meaning),
    Other {
        text: String,
        mark: Mark,
        /// ARP and NDP go no further than the network that they are on.
        is_local: bool,
    },
}

pub(super) fn lines(prepared: &Prepared, observation: &Observation, connection: u16) -> Vec<Line> {
    let captures = &observation.evidence.captures;
    let bases = bases(captures, connection);
    let told = |end: End| {
        let capture = observation.evidence.capture(end.node());
        capture.map_or_else(Vec::new, |capture| told(end, capture, connection, bases))
    };
    let seen = paired(told(End::Client), told(End::Server));
    let is_routed = prepared.network.node(Node::Router).is_some();
    seen.iter()
        .map(|seen| {
            let settings = prepared.case.connection.end(sender(seen));
            let probes = settings
                .keepalive
                .map(|keepalive| EffectiveKeepalive::new(keepalive).probes);
            line(seen, bases, probes, is_routed)
        })
        .collect()
}

/// Who sent it, as far as it was one of the hosts.
fn sender(seen: &Seen) -> End {
    match seen.frame.direction {
        Direction::Out => seen.end,
        Direction::In => seen.end.peer(),
    }
}

/// The sequence numbers of the two SYN segments; of the first segments, where those are not there.
fn bases(captures: &[Captured], connection: u16) -> Bases {
    let (mut client, mut server) = (None, None);
    for capture in captures {
        for frame in &capture.frames.items {
            let Packet::Tcp(segment) = Packet::of(frame) else {
                continue;
            };
            if segment.connection != connection {
                continue;
            }
            let from_client = (capture.node == Node::Client) == (frame.direction == Direction::Out);
            let base = if from_client {
                &mut client
            } else {
                &mut server
            };
            base.get_or_insert(segment.seq);
        }
    }
    Bases {
        client: client.unwrap_or_default(),
        server: server.unwrap_or_default(),
    }
}

/// The frames of the connection and around it, with their meaning.
fn told(end: End, capture: &Captured, connection: u16, bases: Bases) -> Vec<Seen<'_>> {
    let mut track = Track::default();
    let frames = capture.frames.items.iter();
    frames
        .filter_map(|frame| {
            let meaning = match Packet::of(frame) {
                Packet::Tcp(segment) if segment.connection == connection => {
                    // A host that is silent learns nothing from it.
                    let meaning = if frame.unheard {
                        track.clone().observe(&segment)
                    } else {
                        track.observe(&segment)
                    };
                    Told::Segment(segment, meaning)
                }
                Packet::Neighbour(message) => Told::Other {
                    text: words::neighbouring(message),
                    mark: Mark::Faint,
                    is_local: true,
                },
                Packet::Icmp(message) if !message.is_chatter() => {
                    let about = message
                        .quoted
                        .filter(|about| about.connection == connection);
                    let text = match about {
                        Some(about) if frame.direction == Direction::In => {
                            let base = match end {
                                End::Client => bases.client,
                                End::Server => bases.server,
                            };
                            let error = track.observe_icmp(frame.at, message, about);
                            words::icmp(&error, about.seq.wrapping_sub(base))
                        }
                        _ => format!("ICMP {} from {}", message.name(), message.from),
                    };
                    Told::Other {
                        text,
                        mark: Mark::Trouble,
                        is_local: false,
                    }
                }
                _ => return None,
            };
            Some(Seen {
                end,
                frame,
                meaning,
                arrived: None,
            })
        })
        .collect()
}

/// The bytes that are the same at both hosts: all behind the IP header, but for the checksum, which is not yet there where the card
/// is trusted to add it.
fn essence(seen: &Seen) -> Vec<u8> {
    const ETHERNET: usize = 14;
    let bytes = &seen.frame.bytes;
    let Told::Segment(..) = seen.meaning else {
        return bytes.get(ETHERNET..).unwrap_or_default().to_vec();
    };
    let ip = match bytes.get(ETHERNET).map(|first| first >> 4) {
        Some(4) => usize::from(bytes[ETHERNET] & 0x0f) * 4,
        _ => etherparse::Ipv6Header::LEN,
    };
    let mut segment = bytes.get(ETHERNET + ip..).unwrap_or_default().to_vec();
    if let Some(checksum) = segment.get_mut(16..18) {
        checksum.fill(0);
    }
    segment
}

/// What has left and has not arrived: by who sent it and its bytes, the places of those.
type UnderWay = HashMap<(End, Vec<u8>), Vec<usize>>;

/// The frames of both hosts in one order: by time, and where that is the same, as in virtual time, what arrives behind what has left.
/// Each that arrived is joined to the latest that left with the same bytes; what is left over came from somewhere else.
fn paired<'a>(client: Vec<Seen<'a>>, server: Vec<Seen<'a>>) -> Vec<Seen<'a>> {
    let (mut client, mut server) = (VecDeque::from(client), VecDeque::from(server));
    let mut under_way = UnderWay::new();
    let mut merged: Vec<Seen<'a>> = Vec::new();
    while let Some(next) = take_next(&mut client, &mut server, &under_way) {
        let key = (sender(&next), essence(&next));
        match next.frame.direction {
            Direction::Out => {
                under_way.entry(key).or_default().push(merged.len());
                merged.push(next);
            }
            Direction::In => match under_way.get_mut(&key).and_then(Vec::pop) {
                Some(departure) => merged[departure].arrived = Some(next.frame),
                None => merged.push(next),
            },
        }
    }
    merged
}

fn take_next<'a>(
    client: &mut VecDeque<Seen<'a>>,
    server: &mut VecDeque<Seen<'a>>,
    under_way: &UnderWay,
) -> Option<Seen<'a>> {
    let (Some(near), Some(far)) = (client.front(), server.front()) else {
        return client.pop_front().or_else(|| server.pop_front());
    };
    let client_first = match near.frame.at.cmp(&far.frame.at) {
        Ordering::Less => true,
        Ordering::Greater => false,
        Ordering::Equal => is_next(near, server, under_way) || !is_next(far, client, under_way),
    };
    if client_first {
        client.pop_front()
    } else {
        server.pop_front()
    }
}

/// Whether nothing at the other host has to come first: what arrives has left before.
fn is_next(seen: &Seen, other: &VecDeque<Seen>, under_way: &UnderWay) -> bool {
    let essence = essence(seen);
    let still_to_leave = || {
        let now = other
            .iter()
            .take_while(|other| other.frame.at == seen.frame.at);
        let mut leaving = now.filter(|other| other.frame.direction == Direction::Out);
        leaving.any(|other| self::essence(other) == essence)
    };
    let key = (sender(seen), essence.clone());
    seen.frame.direction == Direction::Out
        || under_way.get(&key).is_some_and(|places| !places.is_empty())
        || !still_to_leave()
}

fn line(seen: &Seen, bases: Bases, probes: Option<u32>, is_routed: bool) -> Line {
    let from = sender(seen);
    let (text, mark, is_local) = match &seen.meaning {
        Told::Segment(segment, meaning) => {
            let header = words::header(segment, from == End::Client, bases);
            let (text, mark) = words::meaning(*meaning, segment.len, probes);
            (
                format!("{header:<32} {text}").trim_end().to_owned(),
                mark,
                false,
            )
        }
        Told::Other {
            text,
            mark,
            is_local,
        } => (text.clone(), *mark, *is_local),
    };
    Line {
        at: seen.frame.at,
        source: Source::Wire,
        lanes: lanes(seen, from, is_local && is_routed),
        text,
        mark,
    }
}

fn lanes(seen: &Seen, from: End, ends_at_router: bool) -> Lanes {
    let pick = |client, server| match from {
        End::Client => client,
        End::Server => server,
    };
    match (seen.frame.direction, seen.arrived) {
        // From the router, towards the one who saw it.
        (Direction::In, _) => match seen.end {
            End::Client => Lanes::FromRouterToClient,
            End::Server => Lanes::FromRouterToServer,
        },
        (Direction::Out, Some(frame)) if frame.unheard => {
            pick(Lanes::ToServerUnheard, Lanes::ToClientUnheard)
        }
        (Direction::Out, Some(_)) => pick(Lanes::ToServer, Lanes::ToClient),
        (Direction::Out, None) if ends_at_router => {
            pick(Lanes::FromClientToRouter, Lanes::FromServerToRouter)
        }
        (Direction::Out, None) => pick(Lanes::FromClientLost, Lanes::FromServerLost),
    }
}
