//! The events that are not frames: steps, timers, changes that the kernel reported, dropped
//! packets, and the writes and results of the applications.

use super::{Lanes, Line, Mark, Source};
use crate::evidence::{PacketDrop, SocketSample, StepTaken, Timer};
use crate::model::{End, Node, TimerKind};
use crate::outcome::Observation;
use crate::report::words;
use crate::text::{plural, seconds};
use crate::wire::Packet;

pub(super) fn lines(observation: &Observation, connection: u16) -> Vec<Line> {
    let evidence = &observation.evidence;
    let mut lines: Vec<Line> = evidence.steps.iter().map(step).collect();
    let begun = evidence
        .captures
        .iter()
        .filter_map(|capture| capture.frames.items.first())
        .map(|frame| frame.at)
        .min();
    // Changes before the first frame belong to the setup of the network, not to the case.
    let of_case = |at| begun.is_some_and(|begun| at >= begun);
    lines.extend(
        evidence
            .changes
            .iter()
            .filter(|change| of_case(change.at))
            .map(|change| Line {
                at: change.at,
                source: Source::Kernel,
                lanes: at_node(change.node),
                text: format!("{}: {}", change.node, change.change),
                mark: Mark::Faint,
            }),
    );
    for end in [End::Client, End::Server] {
        lines.extend(timers(evidence.samples(end)));
    }
    let drops = evidence.drops.iter().flat_map(|drops| &drops.items);
    lines.extend(
        drops
            .filter(|drop| is_about(drop, connection))
            .map(drop_line),
    );
    lines.extend(application(observation, connection));
    lines
}

/// Returns whether a dropped packet concerns the connection. ARP and NDP concern every connection.
fn is_about(drop: &PacketDrop, connection: u16) -> bool {
    let of = match Packet::of(&drop.frame) {
        Packet::Tcp(segment) => Some(segment.connection),
        Packet::Icmp(message) => message.quoted.map(|quoted| quoted.connection),
        Packet::Neighbour(_) | Packet::Other => None,
    };
    of.is_none_or(|of| of == connection)
}

fn drop_line(drop: &PacketDrop) -> Line {
    let PacketDrop {
        node,
        function,
        reason,
        ..
    } = drop;
    Line {
        at: drop.frame.at,
        source: Source::Kernel,
        lanes: at_node(*node),
        text: format!("{node}: dropped by {function} ({reason})"),
        mark: Mark::Faint,
    }
}

fn at_node(node: Node) -> Lanes {
    match node {
        Node::CLIENT => Lanes::AtClient,
        Node::SERVER => Lanes::AtServer,
        _ => Lanes::Still,
    }
}

fn step(step: &StepTaken) -> Line {
    Line {
        at: step.from,
        source: Source::Action,
        lanes: Lanes::Still,
        text: words::step(step),
        mark: Mark::Bold,
    }
}

/// Returns a line for each change of the socket's state, of its timer, or of the timer's count.
fn timers<'a>(samples: impl Iterator<Item = &'a SocketSample>) -> Vec<Line> {
    let mut shown = None;
    let mut lines = Vec::new();
    for sample in samples {
        let state = sample.state.as_ref();
        let count = |timer: &Timer| match (timer.kind, state.and_then(|state| state.info)) {
            (TimerKind::Keepalive | TimerKind::Persist, Some(info)) => info.probes,
            (TimerKind::On, Some(info)) => info.retransmits,
            _ => 0,
        };
        let timer = state.and_then(|state| state.timer);
        let now = (
            state.map(|state| state.state),
            timer.map(|timer| (timer.kind, count(&timer))),
        );
        if shown == Some(now) {
            continue;
        }
        shown = Some(now);
        let text = match (state, timer) {
            (None, _) => "the connection no longer exists".to_owned(),
            (Some(state), None) => format!("{}, no timer", state.state),
            (Some(state), Some(timer)) => format!(
                "{} timer:({},{},{})",
                state.state,
                timer.kind,
                seconds(timer.expires),
                count(&timer)
            ),
        };
        lines.push(Line {
            at: sample.at,
            source: Source::Kernel,
            lanes: at_node(sample.end.node()),
            text: format!("{}: {text}", sample.end),
            mark: Mark::Faint,
        });
    }
    lines
}

fn application(observation: &Observation, connection: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    for end in &observation.ends {
        let line = |at, source, text, mark| Line {
            at,
            source,
            lanes: at_node(end.end.node()),
            text,
            mark,
        };
        let place = usize::from(connection - crate::model::CLIENT_PORT);
        let Some(seen) = end.connections.get(place) else {
            continue;
        };
        let mut written = 0;
        for write in &seen.writes {
            // A result may come from another program, so its offsets may be out of order.
            let bytes = plural(write.end.saturating_sub(written), "byte");
            written = write.end;
            lines.push(line(
                write.at,
                Source::Action,
                format!("{}: write {bytes}", end.end),
                Mark::Bold,
            ));
        }
        if let Some((ended, at)) = seen.ended {
            let text = words::read(end.end, ended);
            lines.push(line(at, Source::Result, text, Mark::Bold));
        }
    }
    lines
}
