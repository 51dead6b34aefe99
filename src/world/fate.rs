//! Determines what happens to a packet that one end sends to the other in the current state.
//!
//! The packet follows the path, machine by machine; the first fault that affects it determines the
//! result. ICMP errors are those of the kernel's forwarding: `ip_error` (net/ipv4/route.c) and
//! `ip6_pkt_drop` (net/ipv6/route.c) for routes, `ipv4_link_failure` and `ndisc_error_report` for
//! neighbours, `ip_forward` and `ip6_forward` for sizes.

use std::fmt;

use nix::errno::Errno;

use super::{Fault, World};
use crate::model::{
    End, ErrnoName, Family, FilterVerdict, IcmpKind, Node, Role, RouteChange, Segments, Which,
};

/// A packet of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The end that receives it.
    pub(crate) to: End,
    /// Its kind: `Data`, `Probes`, `Answers` or `Rst`.
    pub(crate) kind: Segments,
    /// The length of the IP packet, in bytes.
    pub(crate) length: u16,
}

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It reaches the socket.
    Delivered,
    /// It reaches the host, which has no such socket and answers with a RST.
    Reset,
    /// It is lost silently at this machine.
    Lost(Node),
    /// Its own host has no route for it: the send fails with this errno.
    Refused(ErrnoName),
    /// This machine drops it and sends an ICMP error to its sender.
    Answered(Node, IcmpKind),
    /// This router drops it and sends a RST to its sender.
    Rejected(Node),
    /// This machine queues it while it resolves the neighbour, which does not answer. A router then
    /// sends ICMP host unreachable (IPv6: address unreachable).
    Queued(Node),
    /// It may be lost at this machine: a fault there affects some packets and not others.
    Uncertain(Node),
}

/// The text completes the sentence "a packet to the server ...".
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
            Self::Queued(at) => write!(f, "waits at {}, whose neighbour is unresolved", at.the()),
            Self::Uncertain(at) => write!(f, "may be lost at {}", at.the()),
        }
    }
}

/// ICMP "fragmentation needed" and ICMPv6 "packet too big".
const TOO_BIG: [(u8, u8); 2] = [(3, 4), (2, 0)];

impl World {
    /// What happens to the packet in the current state; `None` if the ends have several paths, or
    /// if the topology is unknown.
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
                .or_else(|| self.crossing(packet, *at, *next))
        });
        Some(met.unwrap_or_else(|| self.receipt(packet)))
    }

    /// The result at the interface where the packet arrives at a machine, if a fault affects it
    /// there.
    pub(crate) fn arrival(&self, packet: &Packet, at: Node) -> Option<Fate> {
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

    /// The result in the forwarding of a router or in the output of the sender, if a fault affects
    /// it there.
    pub(crate) fn departure(&self, packet: &Packet, at: Node) -> Option<Fate> {
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
            // The packet then takes another path.
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

    pub(crate) fn is_silent(&self, host: End) -> bool {
        let is_down = self.lasting(|fault| *fault == Fault::Down(host)).is_some();
        is_down || self.has(&Fault::Silent(host))
    }

    /// The result without a valid route.
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

    /// The result on the link to the next machine, if a fault affects it there.
    pub(crate) fn crossing(&self, packet: &Packet, at: Node, next: Node) -> Option<Fate> {
        let role = self.setting.topology.as_ref()?.role(at)?;
        let (own, across) = (self.is_down(at, next), self.is_down(next, at));
        match role {
            Role::Switch if own || across => return Some(Fate::Lost(at)),
            // The kernel removes the routes of the interface (fib_disable_ip).
            Role::Host | Role::Router if own => {
                return Some(self.unrouted(packet, at, RouteChange::Delete));
            }
            // The kernel removes the neighbour entry when the carrier is lost (neigh_carrier_down),
            // and no machine answers its resolution.
            Role::Host | Role::Router if across => return Some(Fate::Queued(at)),
            Role::Host | Role::Router | Role::Switch => {}
        }
        let flaps = |fault: &Fault| match fault {
            Fault::Flapping(end) => [at, next].contains(&end.node()),
            _ => false,
        };
        self.find(flaps).map(|_| Fate::Uncertain(at))
    }

    /// The result at the host of the receiving end.
    pub(crate) fn receipt(&self, packet: &Packet) -> Fate {
        let to = packet.to;
        if let Some(lost) = self.arrival(packet, to.node()) {
            return lost;
        }
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

/// Whether a filter for these segments matches this kind.
fn hits(what: Segments, kind: Segments) -> bool {
    match what {
        Segments::Any | Segments::Established => true,
        Segments::Probes | Segments::Answers | Segments::Data | Segments::Rst => what == kind,
    }
}

/// The error of a send by a host whose own route has changed: `fib_props`
/// (net/ipv4/fib_semantics.c) and `fib6_prop` (net/ipv6/route.c).
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Filter, Loss, Preset, Side};
    use crate::world::{Firewalled, Setting};

    fn world(preset: Preset, family: Family, faults: &[Fault]) -> World {
        let setting = Setting {
            family,
            is_dual: false,
            topology: Some(preset.into()),
            firewall: Firewalled::No,
            keepalive: [Some(true), Some(false)],
            prober: None,
        };
        let mut world = World::new(setting, None);
        faults.iter().cloned().for_each(|fault| world.begin(fault));
        world
    }

    /// What happens to data to the server, and to data to the client.
    fn fates(preset: Preset, family: Family, fault: Fault) -> [String; 2] {
        let world = world(preset, family, &[fault]);
        [End::Server, End::Client].map(|to| {
            let kind = Segments::Data;
            let length = 1500;
            world
                .fate(&Packet { to, kind, length })
                .unwrap()
                .to_string()
        })
    }

    const ARRIVES: &str = "arrives";

    #[test]
    fn a_route_decides_by_its_type_and_its_node() {
        use RouteChange::{Blackhole, Delete, Prohibit, Unreachable};
        let at_router = |family, change| {
            let [there, back] = fates(
                Preset::Routed,
                family,
                Fault::Route(Node::ROUTER, End::Server, change),
            );
            assert_eq!(back, ARRIVES);
            there
        };
        let sends = |icmp| format!("is dropped by the router, which sends ICMP {icmp}");
        // ip_error, ip6_pkt_drop
        assert_eq!(at_router(Family::Ipv4, Delete), sends("net-unreachable"));
        assert_eq!(
            at_router(Family::Ipv4, Unreachable),
            sends("host-unreachable")
        );
        assert_eq!(
            at_router(Family::Ipv4, Prohibit),
            sends("communication-prohibited")
        );
        assert_eq!(at_router(Family::Ipv6, Delete), sends("no-route"));
        assert_eq!(at_router(Family::Ipv6, Unreachable), sends("no-route"));
        assert_eq!(
            at_router(Family::Ipv6, Prohibit),
            sends("communication-prohibited")
        );
        assert_eq!(at_router(Family::Ipv4, Blackhole), "is lost at the router");
        let own = |change| {
            let route = Fault::Route(Node::CLIENT, End::Server, change);
            fates(Preset::Routed, Family::Ipv4, route)[0].clone()
        };
        assert_eq!(own(Delete), "has no route on its own host (ENETUNREACH)");
        assert_eq!(
            own(Unreachable),
            "has no route on its own host (EHOSTUNREACH)"
        );
        assert_eq!(own(Prohibit), "has no route on its own host (EACCES)");
        assert_eq!(own(Blackhole), "has no route on its own host (EINVAL)");
    }

    #[test]
    fn a_link_has_two_sides() {
        let queued = "waits at the router, whose neighbour is unresolved";
        let unrouted = "has no route on its own host (ENETUNREACH)";
        let cable = Fault::Link(Side::Cable(End::Server));
        assert_eq!(
            fates(Preset::Routed, Family::Ipv4, cable.clone()),
            [queued, unrouted]
        );
        // At a switch, the port of the switch is set down instead of the host's interface.
        let [there, back] = fates(Preset::Switched, Family::Ipv4, cable);
        assert_eq!(there, "is lost at the switch");
        assert_eq!(back, "waits at the server, whose neighbour is unresolved");
        let router = Fault::Link(Side::Link(Node::ROUTER, Node::SERVER));
        let [there, back] = fates(Preset::Routed, Family::Ipv4, router);
        assert_eq!(
            there,
            "is dropped by the router, which sends ICMP net-unreachable"
        );
        assert_eq!(back, "waits at the server, whose neighbour is unresolved");
    }

    #[test]
    fn a_host_is_silent_forgets_or_has_no_address() {
        let routed = |fault| fates(Preset::Routed, Family::Ipv4, fault);
        let [there, back] = routed(Fault::Silent(End::Server));
        assert_eq!(
            [there.as_str(), back.as_str()],
            ["is lost at the server"; 2]
        );
        let [there, back] = routed(Fault::Forgotten(End::Server));
        assert!(there.ends_with("sends a RST") && back == ARRIVES);
        let [there, back] = routed(Fault::NoAddress(End::Client));
        assert!(there.ends_with("(ENETUNREACH)") && back == "is lost at the client");
        // ip6_route_output does not check the source address.
        let ipv6 = fates(Preset::Routed, Family::Ipv6, Fault::NoAddress(End::Client));
        assert_eq!(ipv6, [ARRIVES, "is lost at the client"]);
    }

    #[test]
    fn filters_and_losses_have_a_direction_and_a_kind() {
        let filter = |to, verdict| {
            let what = Segments::Any;
            let rule = Filter { to, what, verdict };
            fates(
                Preset::Routed,
                Family::Ipv4,
                Fault::Filter(Node::ROUTER, rule),
            )
        };
        let dropped = filter(Some(End::Client), FilterVerdict::Drop);
        assert_eq!(dropped, [ARRIVES, "is lost at the router"]);
        let rejected = filter(None, FilterVerdict::Rst);
        assert_eq!(
            rejected,
            ["is dropped by the router, which sends a RST"; 2].map(str::to_owned)
        );
        let loss = |node, what, which| {
            let to = End::Server;
            fates(
                Preset::Routed,
                Family::Ipv4,
                Fault::Loss(node, Loss { to, what, which }),
            )[0]
            .clone()
        };
        assert_eq!(
            loss(Node::ROUTER, Segments::Data, Which::All),
            "is lost at the router"
        );
        assert_eq!(loss(Node::ROUTER, Segments::Probes, Which::All), ARRIVES);
        let some = Which::Nth(vec![3]);
        assert_eq!(
            loss(Node::ROUTER, Segments::Any, some),
            "may be lost at the router"
        );
        assert_eq!(
            loss(Node::SERVER, Segments::Any, Which::All),
            "is lost at the server"
        );
    }

    #[test]
    fn what_is_too_large_is_told_or_not() {
        let narrow = Fault::Narrow(Node::ROUTER, End::Server, 1300);
        let [there, back] = fates(Preset::Routed, Family::Ipv4, narrow.clone());
        assert_eq!(back, ARRIVES);
        assert!(there.ends_with("fragmentation-needed"), "{there}");
        let world = world(
            Preset::Routed,
            Family::Ipv6,
            &[narrow, Fault::Untold(Node::ROUTER)],
        );
        let of = |length| {
            world.fate(&Packet {
                to: End::Server,
                kind: Segments::Data,
                length,
            })
        };
        assert_eq!(of(1301), Some(Fate::Lost(Node::ROUTER)));
        assert_eq!(of(1300), Some(Fate::Delivered));
    }

    #[test]
    fn where_there_are_two_paths_nothing_is_certain() {
        let mut world = world(Preset::Routed, Family::Ipv4, &[]);
        world.path = None;
        let kind = Segments::Data;
        assert_eq!(
            world.fate(&Packet {
                to: End::Server,
                kind,
                length: 60
            }),
            None
        );
    }
}
