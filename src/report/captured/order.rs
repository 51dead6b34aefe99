//! Merges the frames of both hosts in one order, and joins each departure with its arrival.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};

use super::{CapturedPacket, Decoded};
use crate::model::End;
use crate::wire::{Direction, Meaning};

/// The sending end, and the bytes that are the same at both hosts.
type Key = (End, Vec<u8>);

/// The frames of one host that are not merged yet.
type Queue<'a> = VecDeque<(Key, CapturedPacket<'a>)>;

/// The frames that have left and not arrived: their positions in the merged list.
type InTransit = HashMap<Key, Vec<usize>>;

/// Returns the frames of both hosts, ordered by time. Among frames with the same time, as in
/// virtual time, a departure comes before its arrival. Each arrival is joined to the latest
/// departure with the same bytes. An arrival without a departure came from another machine.
pub(super) fn ordered<'a>(
    client: Vec<CapturedPacket<'a>>,
    server: Vec<CapturedPacket<'a>>,
) -> Vec<CapturedPacket<'a>> {
    let (mut client, mut server) = (queue(client), queue(server));
    let mut in_transit = InTransit::new();
    let mut merged: Vec<CapturedPacket<'a>> = Vec::new();
    while let Some((key, mut next)) = take_next(&mut client, &mut server, &in_transit) {
        match next.frame.direction {
            Direction::Out => in_transit.entry(key).or_default().push(merged.len()),
            Direction::In => {
                if let Some(departure) = in_transit.get_mut(&key).and_then(Vec::pop) {
                    join(&mut merged[departure], &mut next);
                }
            }
        }
        merged.push(next);
    }
    merged
}

fn join<'a>(departure: &mut CapturedPacket<'a>, arrival: &mut CapturedPacket<'a>) {
    departure.arrival = Some(arrival.frame);
    arrival.was_seen_leaving = true;
    // Only the sender's state has the number of the probe.
    if let (
        Decoded::Segment { meaning: sent, .. },
        Decoded::Segment {
            meaning: received, ..
        },
    ) = (&departure.decoded, &mut arrival.decoded)
        && matches!(sent, Meaning::Probe(..))
    {
        *received = *sent;
    }
}

fn queue(packets: Vec<CapturedPacket<'_>>) -> Queue<'_> {
    let keyed = packets.into_iter().map(|captured| {
        let key = (captured.sender(), comparable_bytes(&captured));
        (key, captured)
    });
    keyed.collect()
}

/// Returns the bytes that are the same at both hosts: all after the Ethernet header, or for a
/// segment all after the IP header, with the checksum set to zero. With checksum offload, the
/// sender's frame does not have the checksum yet.
fn comparable_bytes(captured: &CapturedPacket) -> Vec<u8> {
    const ETHERNET: usize = 14;
    let bytes = &captured.frame.bytes;
    let Decoded::Segment { .. } = captured.decoded else {
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

fn take_next<'a>(
    client: &mut Queue<'a>,
    server: &mut Queue<'a>,
    in_transit: &InTransit,
) -> Option<(Key, CapturedPacket<'a>)> {
    let (Some(near), Some(far)) = (client.front(), server.front()) else {
        return client.pop_front().or_else(|| server.pop_front());
    };
    let client_first = match near.1.frame.at.cmp(&far.1.frame.at) {
        Ordering::Less => true,
        Ordering::Greater => false,
        Ordering::Equal => is_next(near, server, in_transit) || !is_next(far, client, in_transit),
    };
    if client_first {
        client.pop_front()
    } else {
        server.pop_front()
    }
}

/// Returns whether the frame can come next. An arrival must wait if its departure is among the
/// other host's frames of the same time.
fn is_next((key, captured): &(Key, CapturedPacket), other: &Queue, in_transit: &InTransit) -> bool {
    let still_to_leave = || {
        let now = other
            .iter()
            .take_while(|(_, other)| other.frame.at == captured.frame.at);
        let mut leaving = now.filter(|(_, other)| other.frame.direction == Direction::Out);
        leaving.any(|(other, _)| other == key)
    };
    captured.frame.direction == Direction::Out
        || in_transit.get(key).is_some_and(|places| !places.is_empty())
        || !still_to_leave()
}
