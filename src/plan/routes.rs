//! Static routes: the shortest path to a network, and a backup route for when that path is gone.
//!
//! The length of a path is the number of routers on it. Among paths of equal length, the link that
//! the file names first is used.
//!
//! The backup route uses another interface and a router that is no farther from the network than
//! this machine itself: such a router does not send the packet back (a loop-free alternate, RFC
//! 5286 section 3). There is no routing protocol that reports distant failures, so a machine uses
//! its backup route only when its own link goes down.

use super::{NodePlan, RoutePlan, Subnet};
use crate::model::{Node, Role};

/// Adds the routes to a network to every machine that has a path to it.
pub(super) fn add(nodes: &mut [NodePlan], to: Subnet) {
    let distances = distances(nodes, to, None);
    let routes: Vec<Vec<RoutePlan>> = (0..nodes.len())
        .map(|at| routes(nodes, &distances, at, to))
        .collect();
    for (node, routes) in nodes.iter_mut().zip(routes) {
        node.routes.extend(routes);
    }
}

/// Removes the routes to a network from the machines that can reach it only through this router.
pub(super) fn hide(nodes: &mut [NodePlan], network: Subnet, behind: Node) {
    let without = distances(nodes, network, Some(behind));
    for (node, distance) in nodes.iter_mut().zip(without) {
        if distance.is_none() && node.node != behind {
            node.routes.retain(|route| route.to != network);
        }
    }
}

/// The number of routers between each machine and a network; `None` without a path. The node
/// `without` is treated as absent.
fn distances(nodes: &[NodePlan], to: Subnet, without: Option<Node>) -> Vec<Option<u32>> {
    let attached = |node: &NodePlan| node.attached(to).map(|_| 0);
    let counts = |node: &NodePlan| Some(node.node) != without;
    let mut distances: Vec<Option<u32>> = nodes
        .iter()
        .map(|node| attached(node).filter(|_| counts(node)))
        .collect();
    for length in 1..=u32::try_from(nodes.len()).unwrap_or(u32::MAX) {
        let known = distances.clone();
        for at in (0..nodes.len()).filter(|at| known[*at].is_none() && counts(&nodes[*at])) {
            let mut next = next_hops(nodes, at);
            if next.any(|(next, _)| known[next] == Some(length - 1)) {
                distances[at] = Some(length);
            }
        }
    }
    distances
}

/// The routers on the networks of a machine, each by its position, with its address there and the
/// link index of the machine's interface.
fn next_hops(nodes: &[NodePlan], at: usize) -> impl Iterator<Item = (usize, (Subnet, u32))> {
    let own = nodes[at].interfaces.iter();
    own.filter_map(|own| Some((own.index, own.address?.network())))
        .flat_map(move |(index, network)| {
            let others = nodes.iter().enumerate();
            others.filter_map(move |(place, node)| {
                let is_router = place != at && node.role == Role::Router;
                let address = node.attached(network).filter(|_| is_router)?.address?;
                Some((place, (address, index)))
            })
        })
}

fn routes(nodes: &[NodePlan], distances: &[Option<u32>], at: usize, to: Subnet) -> Vec<RoutePlan> {
    let Some(distance) = distances[at] else {
        return Vec::new();
    };
    let route = |(via, interface): (Subnet, u32), is_backup| RoutePlan {
        to,
        via: Some(via.address),
        interface,
        is_backup,
    };
    let attached = nodes[at].attached(to).map(|interface| interface.index);
    let first = next_hops(nodes, at)
        .find(|(next, _)| attached.is_none() && distances[*next].is_some_and(|d| d < distance));
    let first = first.map(|(_, hop)| route(hop, false));
    let used = attached.or(first.map(|first| first.interface));
    let backup = next_hops(nodes, at)
        .filter(|(next, hop)| {
            distances[*next].is_some_and(|d| d <= distance) && Some(hop.1) != used
        })
        .min_by_key(|(next, _)| distances[*next]);
    let backup = backup.map(|(_, hop)| route(hop, true));
    first.into_iter().chain(backup).collect()
}
