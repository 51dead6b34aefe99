//! The sysctls that every node starts from, whatever the host's own are.
//!
//! A new namespace takes most of its settings from constants in the kernel, but some from the
//! initial namespace. Those that could change an outcome are pinned here:
//!
//! * `net.ipv4.conf.all` and `default` (`devinet_init_net`), unless
//!   `net.core.devconf_inherit_init_net` is 2; the IPv6 ones where it is 1 or 3
//!   (`addrconf_init_net`), and `disable_ipv6` from the boot's command line in any case
//! * of the `tcp_*`, only the congestion control and the buffers (`tcp_sk_init`)
//!
//! Not pinned are the neighbour timers: an interface copies the initial namespace's
//! `net.ipv4.neigh.default` when it is made (`neigh_parms_alloc`), so they could only be set for
//! each interface later. The oracle takes them for the kernel's defaults.

use std::io::Write;

use super::error::LabError;
use crate::model::{EndSettings, Family, Node, Role, Sysctl};
use crate::plan::{NetworkPlan, NodePlan};
use crate::scenario::memory::{RECEIVE_BUFFERS, SEND_BUFFERS};
use crate::setting;

/// A sysctl below `net.`: the path with slashes, and the value.
pub(crate) type Setting = (String, String);

/// Of every interface, now (`all`) and later (`default`); the kernel takes one, both, or the larger
/// of the two.
const EACH_INTERFACE_IPV4: [(&str, &str); 10] = [
    // Reverse-path filtering would drop what a removed return route is about to answer.
    ("rp_filter", "0"),
    // Who answers a request for an address, and under which of its own a node asks.
    ("arp_ignore", "0"),
    ("arp_announce", "0"),
    ("arp_filter", "0"),
    // What a node makes of an address that nobody asked about, and whether it tells its own.
    ("arp_accept", "0"),
    ("arp_notify", "0"),
    ("drop_gratuitous_arp", "0"),
    // What a carrier's loss does to neighbours and routes.
    ("arp_evict_nocarrier", "1"),
    ("ignore_routes_with_linkdown", "0"),
    // The routes are the scenario's alone.
    ("accept_redirects", "0"),
];

/// The same for IPv6.
const EACH_INTERFACE_IPV6: [(&str, &str); 8] = [
    ("disable_ipv6", "0"),
    // Duplicate address detection holds an address back for a second; nobody else is here.
    ("accept_dad", "0"),
    // There is no router that advertises itself.
    ("accept_ra", "0"),
    ("router_solicitations", "0"),
    // An interface that goes down and up again is a cable, not a reconfiguration.
    ("keep_addr_on_down", "1"),
    ("ndisc_evict_nocarrier", "1"),
    ("ignore_routes_with_linkdown", "0"),
    ("accept_redirects", "0"),
];

/// Of the protocol that runs over both families. Reno is in every kernel.
const OF_TCP: [(&str, &str); 3] = [
    ("ipv4/tcp_congestion_control", "reno"),
    ("ipv4/tcp_rmem", RECEIVE_BUFFERS),
    ("ipv4/tcp_wmem", SEND_BUFFERS),
];

/// What a node needs in a network that carries the families of these plans.
#[must_use]
pub(crate) fn pinned(node: Node, plans: &[NetworkPlan]) -> Vec<Setting> {
    let addressed = plans.iter().filter_map(|network| {
        let plan = network.node(node)?;
        (plan.role != Role::Switch).then_some((network.family, plan))
    });
    let has_ipv6 = addressed.clone().any(|(family, _)| family == Family::Ipv6);
    let without_ipv6 = ("ipv6/conf/default/disable_ipv6".to_owned(), "1".to_owned());
    let mut settings: Vec<Setting> = (!has_ipv6).then_some(without_ipv6).into_iter().collect();
    for (family, plan) in addressed.clone() {
        settings.extend(of_family(plan, family));
    }
    if addressed.count() > 0 {
        settings.extend(OF_TCP.iter().map(owned));
    }
    settings
}

/// What a node with addresses of this family needs.
fn of_family(plan: &NodePlan, family: Family) -> Vec<Setting> {
    let mut settings = match family {
        Family::Ipv4 => each_interface("ipv4", &EACH_INTERFACE_IPV4),
        Family::Ipv6 => each_interface("ipv6", &EACH_INTERFACE_IPV6),
    };
    let forwards = if plan.role == Role::Router { "1" } else { "0" };
    // Of the two families' switches the one for all interfaces does nothing where it has the value
    // already.
    let of_family: &[(&str, &str)] = match family {
        Family::Ipv4 => &[
            ("ipv4/conf/default/forwarding", forwards),
            ("ipv4/conf/all/forwarding", forwards),
            // The ICMP errors of a dying path are evidence. No type of them is limited by
            // icmp_send then. The router's own bucket for destinations without a route
            // (ip_error, one a second after a burst) is another one, without a switch in a
            // namespace.
            ("ipv4/icmp_ratemask", "0"),
        ],
        Family::Ipv6 => &[
            ("ipv6/conf/all/forwarding", forwards),
            // Type 0 is no message's (RFC 4443): as above.
            ("ipv6/icmp/ratemask", "0"),
        ],
    };
    // Where there is another way, the one whose link has no carrier is to be left.
    if plan.routes.iter().any(|route| route.is_backup) {
        let protocol = match family {
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
        };
        let ignore = [("ignore_routes_with_linkdown", "1")];
        settings.extend(each_interface(protocol, &ignore));
    }
    settings.extend(of_family.iter().map(owned));
    settings
}

fn each_interface(protocol: &str, settings: &[(&str, &str)]) -> Vec<Setting> {
    let of = |(name, value): &(&str, &str)| {
        ["all", "default"].map(|which| {
            let path = format!("{protocol}/conf/{which}/{name}");
            (path, (*value).to_owned())
        })
    };
    settings.iter().flat_map(of).collect()
}

fn owned((name, value): &(&str, &str)) -> Setting {
    ((*name).to_owned(), (*value).to_owned())
}

/// What a host's own settings ask of its namespace.
#[must_use]
pub(crate) fn of_end(settings: &EndSettings) -> Vec<Setting> {
    stated(&setting::sysctls(settings))
}

/// What a file asks for.
#[must_use]
pub(crate) fn stated(sysctls: &[Sysctl]) -> Vec<Setting> {
    let setting = |sysctl: &Sysctl| (sysctl.path(), sysctl.value.clone());
    sysctls.iter().map(setting).collect()
}

/// Writes the settings. Must run on a thread that is inside the namespace: `/proc/sys/net` shows
/// the caller's.
///
/// # Errors
/// [`LabError::Sysctl`] for the first that the kernel refuses; [`LabError::MissingFeature`] where
/// it has no IPv6.
pub fn apply(node: &str, settings: &[Setting], needs_ipv6: bool) -> Result<(), LabError> {
    let has_ipv6 = std::path::Path::new("/proc/sys/net/ipv6").exists();
    if needs_ipv6 && !has_ipv6 {
        return Err(LabError::MissingFeature {
            feature: "IPv6",
            option: "CONFIG_IPV6, or ipv6.disable=1 at boot",
        });
    }
    for setting in settings
        .iter()
        .filter(|(name, _)| has_ipv6 || !name.starts_with("ipv6/"))
    {
        write(node, setting)?;
    }
    Ok(())
}

/// Writes one setting. Must run on a thread that is inside the namespace.
///
/// # Errors
/// [`LabError::Sysctl`].
pub(super) fn write(node: &str, (name, value): &Setting) -> Result<(), LabError> {
    std::fs::OpenOptions::new()
        .write(true)
        .open(format!("/proc/sys/net/{name}"))
        .and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(|source| {
            let name = format!("net.{}", name.replace('/', "."));
            if source.kind() == std::io::ErrorKind::NotFound {
                return LabError::NoSysctl { name };
            }
            LabError::Sysctl {
                name,
                value: value.clone(),
                node: node.to_owned(),
                source,
            }
        })
}
