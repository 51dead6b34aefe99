//! The sysctl values that every node starts with, whatever the host's own values are.
//!
//! A new namespace takes most of its settings from constants in the kernel, but some from the
//! initial namespace. Those that could change an outcome are pinned here:
//!
//! * `net.ipv4.conf.all` and `default` (`devinet_init_net`), unless
//!   `net.core.devconf_inherit_init_net` is 2; the IPv6 ones if it is 1 or 3 (`addrconf_init_net`),
//!   and `disable_ipv6` from the kernel command line in any case
//! * of the `tcp_*` sysctls, only the congestion control and the buffer sizes (`tcp_sk_init`)
//!
//! The neighbour timers are not pinned. An interface copies the initial namespace's
//! `net.ipv4.neigh.default` when it is created (`neigh_parms_alloc`), so they could only be set for
//! each interface later. The oracle assumes the kernel's defaults.

use std::io::Write;

use super::error::LabError;
use crate::model::{EndSettings, Family, Node, Role, Sysctl};
use crate::plan::{NetworkPlan, NodePlan};
use crate::scenario::memory::{RECEIVE_BUFFERS, SEND_BUFFERS};
use crate::setting;

/// A sysctl below `net.`: the path with slashes, and the value.
pub(crate) type Setting = (String, String);

/// The settings of every interface: `all` for the existing interfaces, `default` for later ones.
/// Depending on the sysctl, the kernel uses one of the two values, both, or the larger one.
const EACH_INTERFACE_IPV4: [(&str, &str); 10] = [
    // If the return route is removed, reverse-path filtering would drop packets that the kernel
    // must still process.
    ("rp_filter", "0"),
    // Which interface answers an ARP request, and which source address an ARP request has.
    ("arp_ignore", "0"),
    ("arp_announce", "0"),
    ("arp_filter", "0"),
    // Whether a node accepts a gratuitous ARP message, and whether it sends one.
    ("arp_accept", "0"),
    ("arp_notify", "0"),
    ("drop_gratuitous_arp", "0"),
    // The effect of a lost carrier on neighbour entries and routes.
    ("arp_evict_nocarrier", "1"),
    ("ignore_routes_with_linkdown", "0"),
    // Only the scenario may change the routes.
    ("accept_redirects", "0"),
];

/// The same for IPv6.
const EACH_INTERFACE_IPV6: [(&str, &str); 8] = [
    ("disable_ipv6", "0"),
    // Duplicate address detection would delay an address by a second. It is not needed: no other
    // node has the same address.
    ("accept_dad", "0"),
    // No router sends advertisements.
    ("accept_ra", "0"),
    ("router_solicitations", "0"),
    // An interface that goes down and up again models a cable, not a reconfiguration.
    ("keep_addr_on_down", "1"),
    ("ndisc_evict_nocarrier", "1"),
    ("ignore_routes_with_linkdown", "0"),
    ("accept_redirects", "0"),
];

/// The settings of TCP, which apply to both families. Reno is in every kernel.
const OF_TCP: [(&str, &str); 3] = [
    ("ipv4/tcp_congestion_control", "reno"),
    ("ipv4/tcp_rmem", RECEIVE_BUFFERS),
    ("ipv4/tcp_wmem", SEND_BUFFERS),
];

/// Returns the settings of a node in a network that carries the address families of `plans`.
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

/// Returns the settings of a node that has addresses of this family.
fn of_family(plan: &NodePlan, family: Family) -> Vec<Setting> {
    let mut settings = match family {
        Family::Ipv4 => each_interface("ipv4", &EACH_INTERFACE_IPV4),
        Family::Ipv6 => each_interface("ipv6", &EACH_INTERFACE_IPV6),
    };
    let forwards = if plan.role == Role::Router { "1" } else { "0" };
    // In both families, a write to `all/forwarding` has no effect if it already has the value.
    let of_family: &[(&str, &str)] = match family {
        Family::Ipv4 => &[
            ("ipv4/conf/default/forwarding", forwards),
            ("ipv4/conf/all/forwarding", forwards),
            // The ICMP errors of a broken path are evidence. With an empty mask, icmp_send limits
            // no ICMP type. The router has a separate rate limit for destinations without a route
            // (ip_error, one error per second after a burst), which no sysctl of a namespace
            // controls.
            ("ipv4/icmp_ratemask", "0"),
        ],
        Family::Ipv6 => &[
            ("ipv6/conf/all/forwarding", forwards),
            // The value is a list of the limited types. No ICMPv6 message has type 0 (RFC 4443), so
            // no type is limited.
            ("ipv6/icmp/ratemask", "0"),
        ],
    };
    // If the node has a backup route, it must not use a route whose link has no carrier.
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

/// Returns the sysctls that a host's settings require in its namespace.
#[must_use]
pub(crate) fn of_end(settings: &EndSettings) -> Vec<Setting> {
    stated(&setting::sysctls(settings))
}

/// Returns the sysctls that a scenario file sets.
#[must_use]
pub(crate) fn stated(sysctls: &[Sysctl]) -> Vec<Setting> {
    let setting = |sysctl: &Sysctl| (sysctl.path(), sysctl.value.clone());
    sysctls.iter().map(setting).collect()
}

/// Writes the settings. Must run on a thread that is inside the namespace, because `/proc/sys/net`
/// shows the namespace of the calling thread. Without IPv6 in the kernel, the IPv6 settings are
/// skipped.
///
/// # Errors
/// [`LabError::Sysctl`] for the first setting that the kernel refuses; [`LabError::NoSysctl`] for
/// one that it does not have; [`LabError::MissingFeature`] if `needs_ipv6` is set and the kernel
/// has no IPv6.
pub(crate) fn apply(node: &str, settings: &[Setting], needs_ipv6: bool) -> Result<(), LabError> {
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
/// [`LabError::Sysctl`] or [`LabError::NoSysctl`].
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
