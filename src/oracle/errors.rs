//! The errno of a connection that ends: `tcp_write_err` reports the soft error (`sk_err_soft`) if
//! there is one, and ETIMEDOUT otherwise.
//!
//! The soft error comes from an ICMP error that quotes data in flight (`tcp_v4_err`, `tcp_v6_err`),
//! or from a failed route lookup on the host itself. Over IPv6 every failed lookup sets it
//! (`inet6_csk_xmit`), also the lookup for a keepalive probe. Over IPv4 only the lookup for a
//! retransmission sets it (`inet_sk_rebuild_header`), the lookup for a probe does not
//! (`__ip_queue_xmit`).
//!
//! A keepalive probe has the sequence number `snd_una - 1`, outside the window, so the kernel
//! ignores an ICMP error that quotes it, for both families.

use std::time::Duration;

use nix::errno::Errno;

use super::interval::Interval;
use super::outage::Fault;
use super::retransmission::Stuck;
use super::wheel::lateness;
use crate::model::{
    End, ErrnoName, Family, Filter, FilterVerdict, Hz, Role, RouteChange, Topology,
};

/// Three unanswered requests, one second apart, end a neighbour entry (`neigh_timer_handler`;
/// `mcast_solicit`, `retrans_time`).
const RESOLUTION: Duration = Duration::from_secs(3);
/// The loss of the carrier empties the neighbour table up to this much later (`linkwatch_event`
/// runs once a second).
const CARRIER_NOTICED: Duration = Duration::from_secs(1);
/// A neighbour entry whose neighbour stops answering fails no earlier than this after the
/// connection was established: 5 s of delay and three requests, one second apart
/// (`neigh_timer_handler`). It is that early at the end whose entry was created by the other end's
/// request: the last received segment confirms the entry only when this end sends again
/// (`sk_dst_confirm`). A confirmed entry stays reachable for at least 15 s more, which is half of
/// 30 s (`neigh_rand_reach_time`).
pub(super) const NEIGHBOUR_KEPT: Duration = Duration::from_secs(8);
/// The entry has failed, and the next retransmission was refused, no later than this: 45 s
/// reachable, 5 s of delay, three requests, the longest timeout (120 s), three requests again, and
/// the timers' lateness.
const NEIGHBOUR_LOST: Duration = Duration::from_secs(200);

/// The response to data in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// An ICMP error or a failed route lookup with this errno, from the first transmission on;
    /// `ETIMEDOUT` if there is no response.
    Errno(Errno),
    /// No response until a neighbour entry fails: then host unreachable.
    Neighbour,
    /// The router's carrier is lost, and its neighbour entry is removed with it.
    Carrier,
}

/// Returns where data in flight stops, and the response to it. `None` if the end's own carrier is
/// lost: the link watcher takes up to a second to report it, and until then a packet that the
/// driver drops counts as local congestion (`TCP_RESOURCE_PROBE_INTERVAL`). Also `None` for a fault
/// of a link between machines (`Fault::Link`).
pub(super) fn in_flight(
    family: Family,
    topology: &Topology,
    end: End,
    fault: Fault,
) -> Option<(Stuck, Answer)> {
    match fault {
        Fault::Cable(at) if at == end || topology.is_one_cable() => None,
        // Which machine loses its carrier, and so a neighbour entry, depends on the machines at the
        // two ends of the link.
        Fault::Link(..) => None,
        Fault::Cable(at) if behind_cable(topology, at) == Some(Role::Router) => {
            Some((reverted_by_host_unreachable(family), Answer::Carrier))
        }
        // The route was removed together with the address (fib_disable_ip, cleanup_prefix_route).
        Fault::Unaddressed(at) if at == end => Some((
            Stuck::Unsent,
            Answer::Errno(own_route(family, RouteChange::Delete).unwrap_or(Errno::ETIMEDOUT)),
        )),
        Fault::Cable(_) | Fault::Crash(_) | Fault::Reboot(_) | Fault::Unaddressed(_) => {
            Some((Stuck::Silent, Answer::Neighbour))
        }
        Fault::Filtered(Filter {
            to,
            verdict: FilterVerdict::Icmp(message),
            ..
        }) if to != Some(end) => {
            let (stuck, errno) = unreachable(family, message.code(family)?);
            Some((stuck, Answer::Errno(errno)))
        }
        Fault::Forgotten
        | Fault::Flushed
        | Fault::Filtered(_)
        | Fault::Lost(_)
        | Fault::Misdirected(..)
        | Fault::NotForwarded => Some((Stuck::Silent, Answer::Errno(Errno::ETIMEDOUT))),
        // The data arrives; its acknowledgement does not.
        Fault::Route(_, to, _) if to == end => {
            Some((Stuck::Silent, Answer::Errno(Errno::ETIMEDOUT)))
        }
        Fault::Route(on, _, change) if on == end.node() => Some((
            Stuck::Unsent,
            Answer::Errno(own_route(family, change).unwrap_or(Errno::ETIMEDOUT)),
        )),
        Fault::Route(_, _, change) => Some(router(family, change)),
    }
}

fn behind_cable(topology: &Topology, end: End) -> Option<Role> {
    let machine = topology.behind_cable(end)?;
    Some(machine.role)
}

/// ICMP host unreachable reverts one doubling of the timeout (`tcp_v4_err`); ICMPv6 address
/// unreachable does not (`tcp_v6_err`).
pub(super) fn reverted_by_host_unreachable(family: Family) -> Stuck {
    match family {
        Family::Ipv4 => Stuck::Reverted,
        Family::Ipv6 => Stuck::Silent,
    }
}

/// The ICMP error of a router with this route (`ip_error`, `ip6_pkt_drop`), and the errno that TCP
/// derives from it (`icmp_err_convert`, `icmpv6_err_convert`).
fn router(family: Family, change: RouteChange) -> (Stuck, Answer) {
    let (stuck, errno) = match (family, change) {
        (_, RouteChange::Delete) => (Stuck::Reverted, Errno::ENETUNREACH),
        (Family::Ipv4, RouteChange::Unreachable) => (Stuck::Reverted, Errno::EHOSTUNREACH),
        // An IPv6 router sends the same ICMP error for both (ip6_pkt_discard): no route.
        (Family::Ipv6, RouteChange::Unreachable) => (Stuck::Reverted, Errno::ENETUNREACH),
        (Family::Ipv4, RouteChange::Prohibit) => (Stuck::Silent, Errno::EHOSTUNREACH),
        (Family::Ipv6, RouteChange::Prohibit) => (Stuck::Silent, Errno::EACCES),
        // A route over another router is no fault here.
        (_, RouteChange::Blackhole | RouteChange::Via(_) | RouteChange::Restore) => {
            (Stuck::Silent, Errno::ETIMEDOUT)
        }
    };
    (stuck, Answer::Errno(errno))
}

/// The effect of an ICMP destination unreachable with this code on data in flight, and its errno.
/// No code ends an established connection (`tcp_v4_err`, `tcp_v6_err`). The codes that are about
/// the network or the host revert one doubling of the timeout (RFC 6069).
pub(super) fn unreachable(family: Family, code: u8) -> (Stuck, Errno) {
    let reverts = match family {
        // ICMP_NET_UNREACH, ICMP_HOST_UNREACH
        Family::Ipv4 => code <= 1,
        // ICMPV6_NOROUTE
        Family::Ipv6 => code == 0,
    };
    let errno = match (family, code) {
        // icmp_err_convert in net/ipv4/icmp.c
        (Family::Ipv4, 0 | 6 | 9 | 11) => Errno::ENETUNREACH,
        (Family::Ipv4, 2) => Errno::ENOPROTOOPT,
        (Family::Ipv4, 3) => Errno::ECONNREFUSED,
        (Family::Ipv4, 5) => Errno::EOPNOTSUPP,
        (Family::Ipv4, 7) => Errno::EHOSTDOWN,
        (Family::Ipv4, 8) => Errno::ENONET,
        (Family::Ipv4, _) => Errno::EHOSTUNREACH,
        // tab_unreach in net/ipv6/icmp.c
        (Family::Ipv6, 0) => Errno::ENETUNREACH,
        (Family::Ipv6, 1 | 5 | 6) => Errno::EACCES,
        (Family::Ipv6, 4) => Errno::ECONNREFUSED,
        (Family::Ipv6, _) => Errno::EHOSTUNREACH,
    };
    let stuck = if reverts {
        Stuck::Reverted
    } else {
        Stuck::Silent
    };
    (stuck, errno)
}

/// The soft error after a failed route lookup on the host itself when no data has been sent; `None`
/// if there is none (IPv4).
fn own_route(family: Family, change: RouteChange) -> Option<Errno> {
    if family == Family::Ipv4 {
        return None;
    }
    Some(match change {
        RouteChange::Delete => Errno::ENETUNREACH,
        // fib6_prop in net/ipv6/route.c
        RouteChange::Unreachable => Errno::EHOSTUNREACH,
        RouteChange::Prohibit => Errno::EACCES,
        RouteChange::Blackhole => Errno::EINVAL,
        RouteChange::Via(_) | RouteChange::Restore => return None,
    })
}

impl Answer {
    /// The errno of an end whose timer gives up within `window`, counted from the first
    /// transmission, which was sent at this `age` of the connection. `None` if it depends on the
    /// neighbour entry.
    pub(super) fn errno(self, window: Interval, age: Interval, hz: Hz) -> Option<ErrnoName> {
        let refused = match self {
            Self::Errno(errno) => return Some(name(errno)),
            Self::Carrier => {
                let resolution = RESOLUTION + lateness(Duration::from_secs(1), hz) * 3;
                // A retransmission must find the table empty: the longest gap until then is as long
                // as the time that has passed.
                Interval::new(RESOLUTION, CARRIER_NOTICED * 2 + resolution)
            }
            Self::Neighbour => {
                Interval::new(NEIGHBOUR_KEPT.saturating_sub(age.max), NEIGHBOUR_LOST)
            }
        };
        if window.max < refused.min {
            Some(name(Errno::ETIMEDOUT))
        } else if window.min > refused.max {
            Some(name(Errno::EHOSTUNREACH))
        } else {
            None
        }
    }
}

/// The errno of an idle connection whose probes are not answered; `None` if the rules do not
/// determine it.
pub(super) fn idle(family: Family, end: End, faults: &[Fault]) -> Option<ErrnoName> {
    if family == Family::Ipv4 {
        return Some(name(Errno::ETIMEDOUT));
    }
    let mut own = faults.iter().filter_map(|fault| match *fault {
        Fault::Route(on, to, change) if on == end.node() && to == end.peer() => Some(change),
        Fault::Unaddressed(at) if at == end => Some(RouteChange::Delete),
        _ => None,
    });
    match (own.next(), own.next()) {
        // Whether the loss of the carrier removes the routes depends on which side of the cable is
        // down.
        (None, _) if faults.iter().any(|fault| fault.is_at_cable(end)) => None,
        (None, _) => Some(name(Errno::ETIMEDOUT)),
        (Some(change), None) if faults.len() == 1 => own_route(family, change).map(name),
        _ => None,
    }
}

/// The name of an errno.
pub(super) fn name(errno: Errno) -> ErrnoName {
    ErrnoName::from_raw(errno as i32)
}
