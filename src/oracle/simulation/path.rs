//! The path of a packet: the faults of the [`World`](crate::world::World), the neighbour entries of
//! hosts and routers, and the ICMP errors and RSTs that they cause.

use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;

use super::clock::Jiffies;
use super::conntrack::Tracked;
use super::neighbour::{Entry, Next, State, Times};
use super::socket::Seq;
use super::{Cause, Event, IcmpEffect, Segment, Sent, Simulation, What};
use crate::model::{End, ErrnoName, Family, IcmpKind, Node, Role, RouteChange, Segments};
use crate::oracle::errors;
use crate::oracle::retransmission::Stuck;
use crate::world::{Fate, Fault, Packet};

/// `DELAY_PROBE_TIME` and `RETRANS_TIME`.
const DELAY: Duration = Duration::from_secs(5);
const RETRANS: Duration = Duration::from_secs(1);
/// Headers of IPv4 and TCP with timestamps; IPv6 has 20 bytes more.
const HEADERS: u64 = 52;
const LONGER_HEADERS: u64 = 72;

/// A machine with addresses and the next such machine towards an end, with its neighbour entry.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    at: Node,
    next: Node,
    entry: Entry,
    /// The segments that wait for the address, each with its position on its path.
    waiting: Vec<(Segment, usize)>,
}

impl Hop {
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// The rate limit of the ICMP errors from a router to an end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    by: Node,
    to: End,
    tokens: Jiffies,
    last: Jiffies,
}

/// What makes a machine send an ICMP error, which determines the rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// The route of a forwarded packet (`ip_error`).
    Route,
    /// A filter, or a neighbour that does not answer.
    Other,
}

impl Simulation<'_> {
    /// One entry for each pair of machines with addresses. The client has asked for its neighbour;
    /// the others have learnt theirs from a question, and have not confirmed it.
    pub(super) fn create_hops(&mut self) {
        let [back, there] = self.paths.clone();
        for (path, asks) in [(there, true), (back, false)] {
            let machines = path.iter().copied();
            let machines: Vec<Node> = machines.filter(|node| self.has_addresses(*node)).collect();
            for pair in machines.windows(2) {
                let &[at, next] = pair else { continue };
                let solicits =
                    self.case.family == Family::Ipv6 && at == Node::SERVER && next != Node::CLIENT;
                let state = if asks || solicits {
                    State::Reachable
                } else {
                    State::Delay
                };
                let entry = Entry::new(state, self.tick());
                let first = entry.begin(self.times());
                self.hops.push(Hop {
                    at,
                    next,
                    entry,
                    waiting: Vec::new(),
                });
                self.schedule_next(self.hops.len() - 1, first);
            }
        }
    }

    fn has_addresses(&self, node: Node) -> bool {
        self.case
            .topology
            .role(node)
            .is_some_and(|role| role != Role::Switch)
    }

    fn times(&self) -> Times {
        Times {
            retrans: self.clock.ticks(RETRANS),
            delay: self.clock.ticks(DELAY),
            reachable: self.clock.ticks(self.conditions.reachable),
        }
    }

    /// The next machine with addresses after this position.
    fn next_machine(&self, path: &[Node], position: usize) -> Option<usize> {
        let mut later = path.iter().enumerate().skip(position + 1);
        later
            .find(|(_, node)| self.has_addresses(**node))
            .map(|(position, _)| position)
    }

    fn hop(&self, at: Node, next: Node) -> Option<usize> {
        self.hops
            .iter()
            .position(|hop| (hop.at, hop.next) == (at, next))
    }

    /// The neighbour entry of a machine towards an end.
    pub(super) fn flush_neighbour(&mut self, at: Node, to: End) {
        let path = Rc::clone(&self.paths[super::index(to)]);
        let position = path.iter().position(|node| *node == at);
        let next = position.and_then(|position| self.next_machine(&path, position));
        if let Some(hop) = next.and_then(|next| self.hop(at, path[next])) {
            self.hops[hop].entry.flush();
        }
    }

    /// A machine has lost the carrier of its link to another, or its interface is down: the
    /// neighbour entries over it are gone.
    pub(super) fn flush_link(&mut self, at: Node, across: Node) {
        for to in [End::Client, End::Server] {
            let path = &self.paths[super::index(to)];
            let over = path.windows(2).any(|pair| pair == [at, across]);
            if over && self.has_addresses(at) {
                self.flush_neighbour(at, to);
            }
        }
    }

    /// TCP hands a segment to its host.
    pub(super) fn output(&mut self, segment: Segment) -> Sent {
        let from = segment.to.peer();
        if matches!(segment.what, What::Data { .. }) && self.world.faults().next().is_some() {
            self.data_in_flight = true;
        }
        let tick = self.tick();
        if self.socket(from).confirms {
            self.socket(from).confirms = false;
            let path = Rc::clone(&self.paths[super::index(segment.to)]);
            if let Some(hop) = self
                .next_machine(&path, 0)
                .and_then(|next| self.hop(path[0], path[next]))
            {
                self.hops[hop].entry.confirm(tick);
            }
        }
        self.travel(segment, 0, false)
    }

    /// The errno of the host's own route lookup; `None` if the host has a route.
    pub(super) fn no_route(&self, end: End) -> Option<ErrnoName> {
        let (at, packet) = (
            end.node(),
            packet(&What::Ack { seq: 0 }, end.peer(), self.case.family),
        );
        let path = &self.paths[super::index(end.peer())];
        let fate = self.world.departure(&packet, at);
        let fate = fate.or_else(|| self.world.crossing(&packet, at, path[1]));
        fate.and_then(|fate| match fate {
            Fate::Refused(errno) => Some(errno),
            Fate::Delivered
            | Fate::Reset
            | Fate::Lost(_)
            | Fate::Answered(..)
            | Fate::Rejected(_)
            | Fate::Queued(_)
            | Fate::Uncertain(_) => None,
        })
    }

    /// Forwards a segment from this position of its path. `resolved`: the machine at that position
    /// has just received the address of its neighbour.
    fn travel(&mut self, segment: Segment, position: usize, resolved: bool) -> Sent {
        let path = Rc::clone(&self.paths[super::index(segment.to)]);
        let packet = packet(&segment.what, segment.to, self.case.family);
        let mut resolved = resolved;
        for (here, pair) in path.windows(2).enumerate().skip(position) {
            let &[at, next] = pair else { break };
            if !resolved && here > 0 {
                if let Some(fate) = self.world.arrival(&packet, at) {
                    return self.apply_fate(fate, &segment);
                }
                match self.tracked(&segment, at) {
                    Tracked::Passes => {}
                    Tracked::Dropped => return Sent::Away,
                    Tracked::Unsettled => {
                        self.unsettle();
                        return Sent::Away;
                    }
                }
            }
            let silent = here == 0 && self.world.is_silent(segment.to.peer());
            if !silent && let Some(fate) = self.world.departure(&packet, at) {
                return self.apply_fate(fate, &segment);
            }
            let crossing = self.world.crossing(&packet, at, next);
            if let Some(fate @ (Fate::Refused(_) | Fate::Answered(..) | Fate::Uncertain(_))) =
                crossing
            {
                return self.apply_fate(fate, &segment);
            }
            if self.has_addresses(at) && !resolved && !self.resolve_or_queue(segment, here) {
                return if here == 0 { Sent::Held } else { Sent::Away };
            }
            resolved = false;
            if silent {
                return Sent::Congested;
            }
            if crossing.is_some() {
                return Sent::Away;
            }
        }
        match self.world.receipt(&packet) {
            Fate::Delivered | Fate::Reset => self.soon(Event::Arrive(segment)),
            Fate::Uncertain(_) => self.unsettle(),
            Fate::Lost(_)
            | Fate::Refused(_)
            | Fate::Answered(..)
            | Fate::Rejected(_)
            | Fate::Queued(_) => {}
        }
        Sent::Away
    }

    fn tracked(&mut self, segment: &Segment, at: Node) -> Tracked {
        let (tick, clock) = (self.tick(), self.clock);
        let flow = self.flow.as_mut().filter(|flow| flow.on == at);
        flow.map_or(Tracked::Passes, |flow| flow.pass(segment, tick, clock))
    }

    /// Drops a segment at a fault, with the reply that the fault causes.
    fn apply_fate(&mut self, fate: Fate, segment: &Segment) -> Sent {
        let from = segment.to.peer();
        match fate {
            Fate::Refused(errno) => return Sent::Failed(errno),
            Fate::Answered(by, kind) => self.answer(segment, by, kind, Sender::Route),
            Fate::Rejected(by) => {
                if !matches!(segment.what, What::Rst { .. }) && self.reaches(by, from) {
                    let (seq, cause) = (segment.ack, Cause::Rejected);
                    self.soon(Event::Arrive(Segment {
                        to: from,
                        what: What::Rst { seq, cause },
                        ack: 0,
                        sacked: None,
                    }));
                }
            }
            Fate::Uncertain(_) => self.unsettle(),
            Fate::Lost(_) | Fate::Queued(_) | Fate::Delivered | Fate::Reset => {}
        }
        Sent::Away
    }

    /// A machine sends an ICMP error about a segment to its sender, if its limit allows.
    fn answer(&mut self, segment: &Segment, by: Node, kind: IcmpKind, sender: Sender) {
        let Some(effect) = effect(kind) else {
            self.unsettle();
            return;
        };
        let from = segment.to.peer();
        let filtered = self.world.route(by, segment.to) == RouteChange::Restore;
        let sender = if filtered { Sender::Other } else { sender };
        if self.reaches(by, from) && self.is_allowed(by, from, sender) {
            self.soon(Event::Icmp(from, number(segment), effect));
        }
    }

    /// Whether what a machine sends itself reaches an end now.
    fn reaches(&self, by: Node, end: End) -> bool {
        let path = &self.paths[super::index(end)];
        let Some(position) = path.iter().position(|node| *node == by) else {
            return false;
        };
        let kind = Segments::Any;
        let (to, length) = (end, 100);
        let packet = Packet { to, kind, length };
        let later = path[position..].windows(2);
        let passes = later.enumerate().all(|(here, pair)| match pair {
            [at, next] => {
                let leaves = match self.world.departure(&packet, *at) {
                    None => true,
                    // A router sends its own packets past what it forwards, and filters.
                    Some(_) => {
                        let routed = self.world.route(*at, end) == RouteChange::Restore;
                        routed && here == 0 && !self.world.has(&Fault::WrongNeighbour(*at, end))
                    }
                };
                leaves && self.world.crossing(&packet, *at, *next).is_none()
            }
            _ => true,
        });
        passes && !self.world.is_silent(end) && self.world.has_address(end.node())
    }

    /// The limit of `ip_error`: one error a second to each address, and up to five at once.
    ///
    /// ICMP errors that a filter or a neighbour entry causes have no limit here. `icmp_send` has one
    /// (`icmpv4_xrlim_allow`, six at once), but on Linux 6.18 and 7.2 a rejecting router was observed
    /// to send 12 errors within 2.3 s.
    fn is_allowed(&mut self, by: Node, to: End, sender: Sender) -> bool {
        /// `ip_rt_error_burst`, in `ip_rt_error_cost` of one second.
        const BURST: Jiffies = 5;
        match (sender, self.case.family) {
            (Sender::Route, Family::Ipv4) => {}
            (Sender::Other, _) | (_, Family::Ipv6) => return true,
        }
        let (now, second) = (self.tick(), self.clock.ticks(RETRANS));
        let known = self
            .limits
            .iter()
            .position(|limit| (limit.by, limit.to) == (by, to));
        let position = known.unwrap_or_else(|| {
            self.limits.push(Limit {
                by,
                to,
                tokens: BURST * second,
                last: now,
            });
            self.limits.len() - 1
        });
        let limit = &mut self.limits[position];
        limit.tokens = (limit.tokens + (now - limit.last)).min(BURST * second);
        limit.last = now;
        let allowed = limit.tokens >= second;
        if allowed {
            limit.tokens -= second;
        }
        allowed
    }

    /// Whether a machine has its neighbour's address, and the segment goes out; it waits otherwise.
    fn resolve_or_queue(&mut self, segment: Segment, position: usize) -> bool {
        let path = &self.paths[super::index(segment.to)];
        let at = path[position];
        let Some(hop) = self
            .next_machine(path, position)
            .and_then(|next| self.hop(at, path[next]))
        else {
            return true;
        };
        let (tick, times) = (self.tick(), self.times());
        let (goes, next) = self.hops[hop].entry.send(tick, times);
        if let Some(next) = next {
            self.schedule_next(hop, next);
        }
        if !goes {
            self.hops[hop].waiting.push((segment, position));
        }
        goes
    }

    /// What the entry does next.
    fn schedule_next(&mut self, hop: usize, next: Next) {
        let ticks = match next {
            Next::Timer(ticks) => ticks,
            Next::Ask(ticks) => {
                self.neighbour_asked = true;
                if self.is_answered(hop) {
                    self.soon(Event::NeighbourAnswer(hop));
                }
                ticks
            }
            Next::Rest => return,
            Next::GiveUp => return self.give_up(hop),
        };
        let at = self.expiry(self.tick() + ticks);
        let entry = &mut self.hops[hop].entry;
        entry.timer += 1;
        let timer = entry.timer;
        self.at(at, Event::NeighbourTimer(hop, timer));
    }

    /// Whether the other machine answers a question now.
    fn is_answered(&self, hop: usize) -> bool {
        let Hop { at, next, .. } = self.hops[hop];
        let takes_part = |node: Node| {
            let end = [End::Client, End::Server]
                .into_iter()
                .find(|end| end.node() == node);
            end.is_none_or(|end| !self.world.is_silent(end) && self.world.has_address(node))
        };
        let linked = self.paths.iter().any(|path| {
            let from = path.iter().position(|node| *node == at);
            let to = path.iter().position(|node| *node == next);
            match (from, to) {
                (Some(from), Some(to)) if from < to => path[from..=to].windows(2).all(|pair| {
                    let up = |a: Node, b: Node| !self.world.is_down(a, b);
                    matches!(pair, [a, b] if up(*a, *b) && up(*b, *a))
                }),
                _ => false,
            }
        });
        linked && takes_part(at) && takes_part(next)
    }

    pub(super) fn neighbour_timer(&mut self, hop: usize, timer: u32) {
        if self.hops[hop].entry.timer != timer {
            return;
        }
        let (tick, times) = (self.tick(), self.times());
        let next = self.hops[hop].entry.fire(tick, times);
        self.schedule_next(hop, next);
    }

    pub(super) fn neighbour_answers(&mut self, hop: usize) {
        let (tick, times) = (self.tick(), self.times());
        let Some(next) = self.hops[hop].entry.answered(tick, times) else {
            return;
        };
        self.schedule_next(hop, next);
        for (segment, position) in std::mem::take(&mut self.hops[hop].waiting) {
            self.released(&segment);
            self.travel(segment, position, true);
        }
    }

    /// No reply came (`neigh_invalidate`): the waiting segments are lost, and their sender gets an
    /// ICMP error (`ipv4_link_failure`, `ip6_link_failure`).
    fn give_up(&mut self, hop: usize) {
        for (segment, position) in std::mem::take(&mut self.hops[hop].waiting) {
            self.released(&segment);
            let family = self.case.family;
            let kind = match family {
                Family::Ipv4 => (3, 1),
                Family::Ipv6 => (1, 3),
            };
            let kind = IcmpKind {
                family,
                kind: kind.0,
                code: kind.1,
            };
            if position > 0 {
                self.answer(&segment, self.hops[hop].at, kind, Sender::Other);
            } else if let Some(effect) = effect(kind) {
                let from = segment.to.peer();
                self.soon(Event::Icmp(from, number(&segment), effect));
            }
        }
    }

    /// A segment does not wait in its own host any more.
    fn released(&mut self, segment: &Segment) {
        let What::Data { start, .. } = segment.what else {
            return;
        };
        let socket = self.socket(segment.to.peer());
        for flight in &mut socket.queue {
            if flight.start == start {
                flight.held = false;
            }
        }
    }
}

fn packet(what: &What, to: End, family: Family) -> Packet {
    let headers = match family {
        Family::Ipv4 => HEADERS,
        Family::Ipv6 => LONGER_HEADERS,
    };
    let (kind, bytes) = match what {
        What::Data { start, end } => (Segments::Data, end - start),
        What::Probe { .. } => (Segments::Probes, 0),
        What::Ack { .. } => (Segments::Answers, 0),
        What::Rst { .. } => (Segments::Rst, 0),
    };
    let length = u16::try_from(headers + bytes).unwrap_or(u16::MAX);
    Packet { to, kind, length }
}

/// The number of a segment, which an ICMP error quotes.
fn number(segment: &Segment) -> Seq {
    match segment.what {
        What::Data { start, .. } => start,
        What::Probe { seq } | What::Ack { seq } | What::Rst { seq, .. } => seq,
    }
}

/// What TCP makes of an ICMP error; `None` for one about sizes.
fn effect(kind: IcmpKind) -> Option<IcmpEffect> {
    let expected = match kind.family {
        Family::Ipv4 => 3,
        Family::Ipv6 => 1,
    };
    let too_big = kind.family == Family::Ipv4 && kind.code == 4;
    if kind.kind != expected || too_big {
        return None;
    }
    let (stuck, errno): (_, Errno) = errors::unreachable(kind.family, kind.code);
    let reverts = stuck == Stuck::Reverted;
    Some(IcmpEffect {
        errno: ErrnoName::from_raw(errno as i32),
        reverts,
    })
}
