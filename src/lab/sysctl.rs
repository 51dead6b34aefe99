//! The sysctls that every node starts from, whatever the host's own are.
//!
//! A new namespace takes most of its settings from constants in the kernel, but some from the initial namespace (`devinet_init_net`,
//! `tcp_sk_init`): those that would change an outcome are pinned here.

use std::io::Write;

use super::error::LabError;
use crate::scenario::model::{Family, Keepalive, Node};

/// A sysctl below `net.`: the path with slashes, and the value.
pub type Setting = (String, String);

/// What a node of this kind needs.
#[must_use]
pub fn pinned(node: Node, family: Family) -> Vec<Setting> {
    let mut settings: Vec<(&str, &str)> = Vec::new();
    if node != Node::Switch {
        settings.extend([
            // Congestion control follows the host's default; reno is in every kernel.
            ("ipv4/tcp_congestion_control", "reno"),
            // Reverse-path filtering would drop what a removed return route is about to answer.
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
            // The ICMP errors of a dying path are evidence. This lifts the limit of icmp_send; the router's own bucket for
            // destinations without a route (ip_error, one a second after a burst) has no switch in a namespace.
            ("ipv4/icmp_ratelimit", "0"),
        ]);
    }
    match (node, family) {
        (Node::Switch, _) => settings.push(("ipv6/conf/default/disable_ipv6", "1")),
        (Node::Router, Family::Ipv4) => {
            settings.extend([
                ("ipv6/conf/default/disable_ipv6", "1"),
                ("ipv4/ip_forward", "1"),
            ]);
        }
        (_, Family::Ipv4) => {
            settings.extend([
                ("ipv6/conf/default/disable_ipv6", "1"),
                ("ipv4/ip_forward", "0"),
            ]);
        }
        (_, Family::Ipv6) => {
            settings.extend([
                // Duplicate address detection holds an address back for a second; nobody else is here.
                ("ipv6/conf/default/accept_dad", "0"),
                ("ipv6/conf/default/accept_ra", "0"),
                ("ipv6/conf/default/router_solicitations", "0"),
                // An interface that goes down and up again is a cable, not a reconfiguration.
                ("ipv6/conf/all/keep_addr_on_down", "1"),
                ("ipv6/conf/default/keep_addr_on_down", "1"),
                ("ipv6/icmp/ratelimit", "0"),
                (
                    "ipv6/conf/all/forwarding",
                    if node == Node::Router { "1" } else { "0" },
                ),
            ]);
        }
    }
    settings
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What a host's keepalive asks of its namespace. One set of sysctls serves both families (`net/ipv4/tcp_timer.c` and IPv6 alike).
#[must_use]
pub fn of_keepalive(keepalive: Option<Keepalive>) -> Vec<Setting> {
    let Some(Keepalive::Sysctl {
        time,
        intvl,
        probes,
    }) = keepalive
    else {
        return Vec::new();
    };
    let given = [
        ("time", time.map(|value| value.get().to_string())),
        ("intvl", intvl.map(|value| value.get().to_string())),
        ("probes", probes.map(|value| value.get().to_string())),
    ];
    given
        .into_iter()
        .filter_map(|(name, value)| Some((format!("ipv4/tcp_keepalive_{name}"), value?)))
        .collect()
}

/// Writes the settings. Must run on a thread that is inside the namespace: `/proc/sys/net` shows the caller's.
///
/// # Errors
/// [`LabError::Sysctl`] for the first that the kernel refuses; [`LabError::MissingFeature`] where it has no IPv6.
pub fn apply(node: &str, settings: &[Setting], family: Family) -> Result<(), LabError> {
    let has_ipv6 = std::path::Path::new("/proc/sys/net/ipv6").exists();
    if family == Family::Ipv6 && !has_ipv6 {
        return Err(LabError::MissingFeature {
            feature: "IPv6",
            option: "CONFIG_IPV6, or ipv6.disable=1 at boot",
        });
    }
    for (name, value) in settings
        .iter()
        .filter(|(name, _)| has_ipv6 || !name.starts_with("ipv6/"))
    {
        let path = format!("/proc/sys/net/{name}");
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|mut file| file.write_all(value.as_bytes()))
            .map_err(|source| LabError::Sysctl {
                name: format!("net.{}", name.replace('/', ".")),
                value: value.clone(),
                node: node.to_owned(),
                source,
            })?;
    }
    Ok(())
}
