//! The frames between the hosts: each frame that left a host, with its arrival at the other.

use super::{Lanes, Line, Mark, Source};
use crate::model::End;
use crate::outcome::Observation;
use crate::prepare::Prepared;
use crate::report::captured::{CapturedPacket, Decoded, packets};
use crate::report::words;
use crate::wire::{Direction, Meaning};

pub(super) fn lines(prepared: &Prepared, observation: &Observation, connection: u16) -> Vec<Line> {
    let is_routed = prepared.network.routers().next().is_some();
    let seen = packets(&observation.evidence);
    seen.iter()
        .filter(|seen| !seen.was_seen_leaving && !matches!(seen.decoded, Decoded::Other))
        .filter(|seen| seen.connection().is_none_or(|other| other == connection))
        .map(|seen| line(seen, prepared, is_routed))
        .collect()
}

fn line(seen: &CapturedPacket, prepared: &Prepared, is_routed: bool) -> Line {
    let purpose = seen.purpose(prepared);
    let (text, mark) = match &seen.decoded {
        Decoded::Segment {
            segment,
            meaning,
            bases,
        } => {
            let header = words::header(segment, seen.sender(), *bases);
            let text = format!("{header:<32} {purpose}");
            (text.trim_end().to_owned(), mark(*meaning))
        }
        Decoded::Neighbour(_) | Decoded::Other => (purpose, Mark::Faint),
        Decoded::Error { .. } | Decoded::Icmp(_) => (purpose, Mark::Trouble),
    };
    Line {
        at: seen.frame.at,
        source: Source::Wire,
        lanes: lanes(seen, is_routed),
        text,
        mark,
    }
}

fn mark(meaning: Meaning) -> Mark {
    match meaning {
        Meaning::Opens | Meaning::Closes | Meaning::Data | Meaning::Acknowledges => Mark::Plain,
        Meaning::Resets | Meaning::Retransmission => Mark::Trouble,
        Meaning::Probe(..) | Meaning::Answer => Mark::Probe,
    }
}

fn lanes(seen: &CapturedPacket, is_routed: bool) -> Lanes {
    let pick = |client, server| match seen.sender() {
        End::Client => client,
        End::Server => server,
    };
    let ends_at_router = is_routed && matches!(seen.decoded, Decoded::Neighbour(_));
    match (seen.frame.direction, seen.arrival) {
        // From the router to the host that captured the frame.
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
