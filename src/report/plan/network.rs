//! The network of a case: the machines with their addresses. A topology without a preset also has
//! its links and routes.

use crate::model::{Firewall, LARGEST_MTU, Link, Role, Topology};
use crate::plan::{NetworkPlan, NodePlan, RoutePlan};
use crate::prepare::Prepared;

pub(super) fn lines(prepared: &Prepared) -> Vec<String> {
    let (case, network) = (&prepared.case, &prepared.network);
    let mut lines = match case.topology.preset() {
        Some(preset) => vec![format!("  topology    {preset}: {}", chain(network))],
        None => spelled_out(prepared),
    };
    let other_family = prepared.other_family.as_ref();
    lines.extend(other_family.map(|other_family| {
        format!(
            "  also over   {}: {}",
            other_family.family,
            chain(other_family)
        )
    }));
    lines.extend(case.firewall.map(firewall));
    let sysctls = case.sysctl.iter().flat_map(|own| {
        let settings = own.sysctl.iter();
        settings.map(|set| format!("  sysctl      {}: {} = {}", own.node, set.name, set.value))
    });
    lines.extend(sysctls);
    lines
}

fn chain(network: &NetworkPlan) -> String {
    let nodes: Vec<String> = network.nodes.iter().map(node).collect();
    nodes.join(" - ")
}

fn spelled_out(prepared: &Prepared) -> Vec<String> {
    let network = &prepared.network;
    let nodes: Vec<String> = network.nodes.iter().map(role).collect();
    let routes = network.nodes.iter().flat_map(|node| {
        let routes = node.routes.iter();
        routes.filter_map(|route| self::route(network, node, *route))
    });
    let first = format!("  topology    {}", nodes.join(", "));
    let second = format!("  links       {}", links(&prepared.case.topology));
    [first, second].into_iter().chain(routes).collect()
}

/// Returns the network in a few words: its preset, or its links.
#[must_use]
pub fn outline(topology: &Topology) -> String {
    topology
        .preset()
        .map_or_else(|| links(topology), |preset| preset.to_string())
}

fn links(topology: &Topology) -> String {
    let links: Vec<String> = topology.links().iter().map(link).collect();
    links.join(", ")
}

fn role(plan: &NodePlan) -> String {
    match plan.role {
        Role::Host => node(plan),
        Role::Router | Role::Switch => format!("{} {}", plan.role, node(plan)),
    }
}

fn link(link: &Link) -> String {
    let [near, far] = link.between;
    let narrow = (link.mtu < LARGEST_MTU).then(|| format!(" ({} bytes)", link.mtu));
    format!("{near} - {far}{}", narrow.unwrap_or_default())
}

fn route(network: &NetworkPlan, node: &NodePlan, route: RoutePlan) -> Option<String> {
    let next = network.owner(route.via?)?;
    let when = if route.is_backup {
        ", when its first link has no carrier"
    } else {
        ""
    };
    Some(format!(
        "  route       {} to {} over {next}{when}",
        node.node, route.to
    ))
}

fn node(plan: &NodePlan) -> String {
    let addresses: Vec<String> = plan
        .interfaces
        .iter()
        .filter_map(|interface| Some(interface.address?.to_string()))
        .collect();
    if addresses.is_empty() {
        plan.node.to_string()
    } else {
        format!("{} {}", plan.node, addresses.join(" "))
    }
}

fn firewall(firewall: Firewall) -> String {
    let begins = if firewall.loose {
        "any segment (nf_conntrack_tcp_loose) begins a flow"
    } else {
        "only a SYN begins a flow"
    };
    let nat = if firewall.nat {
        "; nat: the server sees the router's address as the client's"
    } else {
        ""
    };
    format!(
        "  firewall    on {}: forgets an idle flow after {} (nf_conntrack_tcp_timeout_established); {begins}{nat}",
        firewall.on.the(),
        firewall.established
    )
}
