//! The frames of both hosts in one order, each that left with its arrival.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};

use super::{CapturedPacket, Told};
use crate::model::End;
use crate::wire::{Direction, Meaning};

/// Who sent it, and the bytes that are the same at both hosts.
type Key = (End, Vec<u8>);

/// What comes next of one host's.
type Queue<'a> = VecDeque<(Key, CapturedPacket<'a>)>;

/// What has left and has not arrived: the places of those.
type UnderWay = HashMap<Key, Vec<usize>>;

/// By time, and where that is the same, as in virtual time, what arrives behind what has left. Each
/// that arrived is joined to the latest that left with the same bytes; what is left over came from
/// somewhere else.
pub(super) fn ordered<'a>(
    client: Vec<CapturedPacket<'a>>,
    server: Vec<CapturedPacket<'a>>,
) -> Vec<CapturedPacket<'a>> {
    let (mut client, mut server) = (queue(client), queue(server));
    let mut under_way = UnderWay::new();
    let mut merged: Vec<CapturedPacket<'a>> = Vec::new();
    while let Some((key, mut next)) = take_next(&mut client, &mut server, &under_way) {
        match next.frame.direction {
            Direction::Out => under_way.entry(key).or_default().push(merged.len()),
            Direction::In => {
                if let Some(departure) = under_way.get_mut(&key).and_then(Vec::pop) {
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
    // Only who sends them knows how many probes there have been.
    if let (
        Told::Segment { meaning: sent, .. },
        Told::Segment {
            meaning: received, ..
        },
    ) = (&departure.told, &mut arrival.told)
        && matches!(sent, Meaning::Probe(..))
    {
        *received = *sent;
    }
}

fn queue(packets: Vec<CapturedPacket<'_>>) -> Queue<'_> {
    let keyed = packets.into_iter().map(|captured| {
        let key = (captured.sender(), essence(&captured));
        (key, captured)
    });
    keyed.collect()
}

/// All behind the IP header, but for the checksum, which is not yet there where the card is trusted
/// to add it.
fn essence(captured: &CapturedPacket) -> Vec<u8> {
    const ETHERNET: usize = 14;
    let bytes = &captured.frame.bytes;
    let Told::Segment { .. } = captured.told else {
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
    under_way: &UnderWay,
) -> Option<(Key, CapturedPacket<'a>)> {
    let (Some(near), Some(far)) = (client.front(), server.front()) else {
        return client.pop_front().or_else(|| server.pop_front());
    };
    let client_first = match near.1.frame.at.cmp(&far.1.frame.at) {
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
fn is_next((key, captured): &(Key, CapturedPacket), other: &Queue, under_way: &UnderWay) -> bool {
    let still_to_leave = || {
        let now = other
            .iter()
            .take_while(|(_, other)| other.frame.at == captured.frame.at);
        let mut leaving = now.filter(|(_, other)| other.frame.direction == Direction::Out);
        leaving.any(|(other, _)| other == key)
    };
    captured.frame.direction == Direction::Out
        || under_way.get(key).is_some_and(|places| !places.is_empty())
        || !still_to_leave()
}
