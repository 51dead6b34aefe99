//! What becomes of a packet that one end sends to the other now.
//!
//! The packet goes along the path, machine by machine; the first fault that it meets decides. ICMP errors are those of the kernel's
//! forwarding: `ip_error` (net/ipv4/route.c) and `ip6_pkt_drop` (net/ipv6/route.c) for routes, `ipv4_link_failure` and
//! `ndisc_error_report` for neighbours, `ip_forward` and `ip6_forward` for sizes.

use std::fmt;

use nix::errno::Errno;

use super::{Fault, World};
use crate::model::{
    End, ErrnoName, Family, FilterVerdict, IcmpKind, Node, Role, RouteChange, Segments, Which,
};

/// A packet of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// The end that it is for.
    pub to: End,
    /// Its kind: `Data`, `Probes`, `Answers` or `Rst`.
    pub kind: Segments,
    /// The length of the IP packet, in bytes.
    pub length: u16,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It reaches the socket.
    Delivered,
    /// It reaches the host, which has no such socket and answers with a RST.
    Reset,
    /// It is lost in silence at this machine.
    Lost(Node),
    /// Its own host has no route for it: the send fails with this errno.
    Refused(ErrnoName),
    /// This machine drops it and sends an ICMP error to its sender.
    Answered(Node, IcmpKind),
    /// This router drops it and sends a RST to its sender.
    Rejected(Node),
    /// This machine keeps it and asks for the address of its neighbour, in vain; after that, a router answers with ICMP host
    /// unreachable.
    Queued(Node),
    /// It may be lost: a fault there hits some packets and not others.
    Uncertain(Node),
}

/// As the end of "what is sent to the server ...".
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("arrives"),
            Self::Reset => f.write_str("reaches a host without the connection, which sends a RST"),
            Self::Lost(at) => write!(f, "is lost at {}", at.the()),
            Self::Refused(errno) => write!(f, "has no route on its own host ({errno})"),
            Self::Answered(by, kind) => {
                write!(f, "is dropped by {}, which sends ICMP {kind}", by.the())
            }
            Self::Rejected(by) => write!(f, "is dropped by {}, which sends a RST", by.the()),
            Self::Queued(at) => write!(f, "waits at {} for a neighbour in vain", at.the()),
            Self::Uncertain(at) => write!(f, "may be lost at {}", at.the()),
        }
    }
}

/// ICMP "fragmentation needed" and ICMPv6 "packet too big".
const TOO_BIG: [(u8, u8); 2] = [(3, 4), (2, 0)];

impl World {
    /// What becomes of the packet now; `None` where the ends have several paths, or the topology is unknown.
    #[must_use]
    pub(crate) fn fate(&self, packet: &Packet) -> Option<Fate> {
        let mut path = self.path.clone()?;
        if packet.to == End::Client {
            path.reverse();
        }
        let hops = path.iter().zip(path.iter().skip(1));
        let met = hops.into_iter().find_map(|(at, next)| {
            let from_end = *at == packet.to.peer().node();
            self.arrival(packet, *at)
                .filter(|_| !from_end)
                .or_else(|| self.departure(packet, *at))
                .or_else(|| self.crossing(*at, *next))
        });
        Some(met.unwrap_or_else(|| self.receipt(packet)))
    }

    /// At the interface of a machine between the ends.
    fn arrival(&self, packet: &Packet, at: Node) -> Option<Fate> {
        self.faults().find_map(|fault| match fault {
            Fault::Loss(on, loss) if *on == at && loss.to == packet.to => {
                let hits = hits(loss.what, packet.kind);
                hits.then_some(match loss.which {
                    Which::All => Fate::Lost(at),
                    Which::Nth(_) | Which::Fraction { .. } => Fate::Uncertain(at),
                })
            }
            _ => None,
        })
    }

    /// In the forwarding of a router, or in the output of the sender.
    fn departure(&self, packet: &Packet, at: Node) -> Option<Fate> {
        let own = packet.to.peer();
        let is_sender = at == own.node();
        if is_sender {
            if self.is_silent(own) {
                return Some(Fate::Lost(at));
            }
            if self.has(&Fault::NoAddress(own)) && !self.sends_without_address() {
                return Some(self.unrouted(packet, at, RouteChange::Delete));
            }
        }
        if self.has(&Fault::NotForwarding(at)) {
            return Some(Fate::Lost(at));
        }
        match self.route(at, packet.to) {
            RouteChange::Restore => {}
            // The path is another one then.
            RouteChange::Via(_) => return Some(Fate::Uncertain(at)),
            change @ (RouteChange::Delete
            | RouteChange::Unreachable
            | RouteChange::Prohibit
            | RouteChange::Blackhole) => return Some(self.unrouted(packet, at, change)),
        }
        self.filtered(packet, at)
            .or_else(|| self.too_big(packet, at))
            .or_else(|| {
                self.has(&Fault::WrongNeighbour(at, packet.to))
                    .then_some(Fate::Lost(at))
            })
            .or_else(|| {
                self.has(&Fault::Impaired(own))
                    .then_some(Fate::Uncertain(at))
                    .filter(|_| is_sender)
            })
    }

    fn is_silent(&self, host: End) -> bool {
        let is_down = self.lasting(|fault| *fault == Fault::Down(host)).is_some();
        is_down || self.has(&Fault::Silent(host))
    }

    /// Without a route.
    fn unrouted(&self, packet: &Packet, at: Node, change: RouteChange) -> Fate {
        if at == packet.to.peer().node() {
            return Fate::Refused(ErrnoName::from_raw(own_errno(change) as i32));
        }
        let family = self.family();
        let kind = match (family, change) {
            (Family::Ipv4, RouteChange::Delete) => (3, 0),
            (Family::Ipv4, RouteChange::Unreachable) => (3, 1),
            (Family::Ipv4, RouteChange::Prohibit) => (3, 13),
            // ip6_pkt_discard answers both with "no route".
            (Family::Ipv6, RouteChange::Delete | RouteChange::Unreachable) => (1, 0),
            (Family::Ipv6, RouteChange::Prohibit) => (1, 1),
            (_, RouteChange::Blackhole | RouteChange::Via(_) | RouteChange::Restore) => {
                return Fate::Lost(at);
            }
        };
        Fate::Answered(at, icmp(family, kind))
    }

    fn filtered(&self, packet: &Packet, at: Node) -> Option<Fate> {
        self.faults().find_map(|fault| {
            let Fault::Filter(on, filter) = fault else {
                return None;
            };
            let meets = *on == at && filter.to.is_none_or(|to| to == packet.to);
            (meets && hits(filter.what, packet.kind)).then(|| match filter.verdict {
                FilterVerdict::Drop => Fate::Lost(at),
                FilterVerdict::Rst => Fate::Rejected(at),
                FilterVerdict::Icmp(message) => {
                    let family = self.family();
                    let kind = if family == Family::Ipv4 { 3 } else { 1 };
                    let answered = |code| Fate::Answered(at, icmp(family, (kind, code)));
                    message.code(family).map_or(Fate::Lost(at), answered)
                }
            })
        })
    }

    fn too_big(&self, packet: &Packet, at: Node) -> Option<Fate> {
        let narrow = self.faults().any(|fault| match fault {
            Fault::Narrow(on, to, bytes) => (*on, *to) == (at, packet.to) && *bytes < packet.length,
            _ => false,
        });
        narrow.then(|| {
            if self.has(&Fault::Untold(at)) {
                return Fate::Lost(at);
            }
            let family = self.family();
            Fate::Answered(
                at,
                icmp(family, TOO_BIG[usize::from(family == Family::Ipv6)]),
            )
        })
    }

    /// On the link to the next machine.
    fn crossing(&self, at: Node, next: Node) -> Option<Fate> {
        if self.is_down(next, at) || self.is_down(at, next) {
            let role = self.setting.topology.as_ref()?.role(at)?;
            return Some(match role {
                // The neighbour entry goes with the carrier (neigh_carrier_down), and nobody answers.
                Role::Router if self.is_down(next, at) => Fate::Queued(at),
                Role::Host | Role::Router | Role::Switch => Fate::Lost(at),
            });
        }
        let flaps = |fault: &Fault| match fault {
            Fault::Flapping(end) => [at, next].contains(&end.node()),
            _ => false,
        };
        self.find(flaps).map(|_| Fate::Uncertain(at))
    }

    /// At the host that it is for.
    fn receipt(&self, packet: &Packet) -> Fate {
        let to = packet.to;
        let gone = [Fault::Forgotten(to), Fault::Destroyed(to)];
        if self.is_silent(to) || self.has(&Fault::NoAddress(to)) {
            Fate::Lost(to.node())
        } else if gone.iter().any(|fault| self.has(fault)) && packet.kind != Segments::Rst {
            Fate::Reset
        } else {
            Fate::Delivered
        }
    }
}

/// Whether a filter for these segments catches this kind.
fn hits(what: Segments, kind: Segments) -> bool {
    match what {
        Segments::Any | Segments::Established => true,
        Segments::Probes | Segments::Answers | Segments::Data | Segments::Rst => what == kind,
    }
}

/// `fib_props` (net/ipv4/fib_semantics.c) and `fib6_prop` (net/ipv6/route.c).
fn own_errno(change: RouteChange) -> Errno {
    match change {
        RouteChange::Unreachable => Errno::EHOSTUNREACH,
        RouteChange::Prohibit => Errno::EACCES,
        RouteChange::Blackhole => Errno::EINVAL,
        RouteChange::Delete | RouteChange::Via(_) | RouteChange::Restore => Errno::ENETUNREACH,
    }
}

fn icmp(family: Family, (kind, code): (u8, u8)) -> IcmpKind {
    IcmpKind { family, kind, code }
}
