//! The network as a graph: machines, and the links between them. A preset is a graph too.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::display::display_as;
use super::end::End;
use crate::model::Node;

/// A network that has been checked: it is connected, with the client and the server at its edges.
/// `crate::scenario` refuses a network that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Topology {
    /// The preset; `None` if the file lists the machines and links.
    preset: Option<Preset>,
    /// The client first, the server last; the others between them in the order of the file.
    machines: Vec<Machine>,
    /// The links, in the order of the file.
    links: Vec<Link>,
}

/// The predefined networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// client – server, one cable.
    Direct,
    /// client – switch – server, the switch being a real bridge in a namespace of its own.
    Switched,
    /// client – router – server, two subnets.
    Routed,
}

/// A machine with its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Machine {
    /// The name.
    pub(crate) node: Node,
    /// The role.
    pub(crate) role: Role,
}

/// The role of a machine: what it does with packets and frames for other machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It drops them. A host has one link.
    Host,
    /// It forwards packets between networks.
    Router,
    /// It forwards frames between its ports. A switch is a bridge without addresses.
    Switch,
}

/// A cable between two machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Link {
    /// The two machines.
    pub(crate) between: [Node; 2],
    /// The MTU in both directions, in bytes.
    pub(crate) mtu: u16,
}

/// One side of a link, as named in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The cable of an end.
    Cable(End),
    /// The interface of a machine on its link to another one.
    Link(Node, Node),
}

impl Link {
    /// The other machine of the link; `None` if `node` is not on the link.
    #[must_use]
    pub(crate) fn across(&self, node: Node) -> Option<Node> {
        let [near, far] = self.between;
        match node {
            _ if node == near => Some(far),
            _ if node == far => Some(near),
            _ => None,
        }
    }

    /// Whether the link is between these two machines, in either order.
    #[must_use]
    pub(crate) fn joins(&self, a: Node, b: Node) -> bool {
        self.across(a) == Some(b)
    }
}

impl From<Preset> for Topology {
    fn from(preset: Preset) -> Self {
        let between = match preset {
            Preset::Direct => None,
            Preset::Switched => Some((Node::SWITCH, Role::Switch)),
            Preset::Routed => Some((Node::ROUTER, Role::Router)),
        };
        let between = between.map(|(node, role)| Machine { node, role });
        let nodes = [
            Some(Node::CLIENT),
            between.map(|m| m.node),
            Some(Node::SERVER),
        ];
        let nodes: Vec<Node> = nodes.into_iter().flatten().collect();
        let links = nodes.windows(2).map(|pair| Link {
            between: [pair[0], pair[1]],
            mtu: LARGEST_MTU,
        });
        let graph = Self::graph(between.into_iter().collect(), links.collect());
        Self {
            preset: Some(preset),
            ..graph
        }
    }
}

impl Topology {
    /// A network defined by a file, with these machines in addition to the client and the server.
    pub(crate) fn graph(others: Vec<Machine>, links: Vec<Link>) -> Self {
        let host = |node| Machine {
            node,
            role: Role::Host,
        };
        let ends = [host(Node::CLIENT), host(Node::SERVER)];
        let machines = [&ends[..1], &others, &ends[1..]].concat();
        Self {
            preset: None,
            machines,
            links,
        }
    }

    /// The preset, if the network is one.
    #[must_use]
    pub fn preset(&self) -> Option<Preset> {
        self.preset
    }

    /// The machines: the client first, the server last; the others between them in the order of the
    /// file.
    #[must_use]
    pub(crate) fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// The links, in the order of the file.
    #[must_use]
    pub(crate) fn links(&self) -> &[Link] {
        &self.links
    }

    /// The role of a machine; `None` if the network has no machine of this name.
    #[must_use]
    pub(crate) fn role(&self, node: Node) -> Option<Role> {
        let machine = self.machines.iter().find(|machine| machine.node == node);
        machine.map(|machine| machine.role)
    }

    /// The machines with this role.
    pub(crate) fn of_role(&self, role: Role) -> impl Iterator<Item = Node> {
        let machines = self.machines.iter();
        machines.filter_map(move |machine| (machine.role == role).then_some(machine.node))
    }

    /// The machines at the other sides of a machine's links.
    pub(crate) fn neighbours(&self, node: Node) -> impl Iterator<Item = Node> {
        self.links.iter().filter_map(move |link| link.across(node))
    }

    /// The machine at the other side of an end's cable; `None` if it is the other end.
    #[must_use]
    pub(crate) fn behind_cable(&self, end: End) -> Option<Machine> {
        let across = self.neighbours(end.node()).next()?;
        let machine = self.machines.iter().find(|machine| machine.node == across);
        machine
            .copied()
            .filter(|machine| machine.node != end.peer().node())
    }

    /// Whether one cable connects the two ends directly.
    #[must_use]
    pub(crate) fn is_one_cable(&self) -> bool {
        self.behind_cable(End::Client).is_none()
    }

    /// The number of the network of each link. Networks are numbered from 0 in the order of their
    /// first links. All links of a switch belong to one network.
    #[must_use]
    pub(crate) fn networks(&self) -> Vec<u32> {
        let joined = |a: &Link, b: &Link| {
            let mut common = a
                .between
                .into_iter()
                .filter(|node| b.across(*node).is_some());
            common.any(|node| self.role(node) == Some(Role::Switch))
        };
        let mut of_link: Vec<Option<u32>> = vec![None; self.links.len()];
        let mut count = 0;
        for first in 0..self.links.len() {
            if of_link[first].is_some() {
                continue;
            }
            let mut next = vec![first];
            while let Some(link) = next.pop() {
                of_link[link] = Some(count);
                let others = (0..self.links.len()).filter(|other| of_link[*other].is_none());
                next.extend(others.filter(|other| joined(&self.links[link], &self.links[*other])));
            }
            count += 1;
        }
        of_link.into_iter().flatten().collect()
    }

    /// The routers that share a network with a machine, in the order of the file.
    pub(crate) fn next_routers(&self, node: Node) -> Vec<Node> {
        let networks = self.networks();
        let on = |node: Node| -> BTreeSet<u32> {
            let links = self.links.iter().zip(&networks);
            let own = links.filter(|(link, _)| link.across(node).is_some());
            own.map(|(_, network)| *network).collect()
        };
        let own = on(node);
        let routers = self.of_role(Role::Router).filter(|router| *router != node);
        routers
            .filter(|router| !on(*router).is_disjoint(&own))
            .collect()
    }

    /// The machines that the client can reach without this link, each with its predecessor on a
    /// shortest path.
    fn reached(&self, without: Option<&Link>) -> BTreeMap<Node, Node> {
        let mut reached = BTreeMap::from([(Node::CLIENT, Node::CLIENT)]);
        let mut next = VecDeque::from([Node::CLIENT]);
        while let Some(node) = next.pop_front() {
            let links = self.links.iter().filter(|link| Some(*link) != without);
            for across in links.filter_map(|link| link.across(node)) {
                if let Entry::Vacant(unseen) = reached.entry(across) {
                    unseen.insert(node);
                    next.push_back(across);
                }
            }
        }
        reached
    }

    /// A machine without a path from the client, if there is one.
    pub(crate) fn unreachable(&self) -> Option<Node> {
        let reached = self.reached(None);
        let mut nodes = self.machines.iter().map(|machine| machine.node);
        nodes.find(|node| !reached.contains_key(node))
    }

    /// The machines on the path from the client to the server, both included. `None` if there are
    /// several paths.
    #[must_use]
    pub(crate) fn unique_path(&self) -> Option<Vec<Node>> {
        let reached = self.reached(None);
        let mut path = vec![Node::SERVER];
        while let Some(last) = path.last().filter(|last| **last != Node::CLIENT) {
            path.push(*reached.get(last)?);
        }
        path.reverse();
        let is_needed = |pair: &[Node]| {
            let link = self.links.iter().find(|link| link.joins(pair[0], pair[1]));
            link.is_some_and(|link| !self.reached(Some(link)).contains_key(&Node::SERVER))
        };
        path.windows(2).all(is_needed).then_some(path)
    }
}

/// The MTU of a link unless the file sets another one, and the maximum, in bytes.
pub(crate) const LARGEST_MTU: u16 = 1500;

/// The minimum MTU of a link, in bytes. The kernel disables IPv6 on a link with a lower MTU (RFC
/// 8200 section 5; `addrconf_notify`).
pub(crate) const SMALLEST_MTU: u16 = 1280;

display_as!(Preset { Preset::Direct => "direct", Preset::Switched => "switched", Preset::Routed => "routed" });

display_as!(Role { Role::Host => "host", Role::Router => "router", Role::Switch => "switch" });

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(others: &[(&str, Role)], links: &[[&str; 2]]) -> Topology {
        let node = |name: &str| Node::named(name).unwrap();
        let machine = |(name, role): &(&str, Role)| Machine {
            node: node(name),
            role: *role,
        };
        let link = |between: &[&str; 2]| Link {
            between: between.map(&node),
            mtu: LARGEST_MTU,
        };
        Topology::graph(
            others.iter().map(machine).collect(),
            links.iter().map(link).collect(),
        )
    }

    fn way(topology: &Topology) -> Option<String> {
        let way = topology.unique_path()?;
        Some(way.iter().map(Node::name).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_preset_is_a_chain() {
        let presets = [Preset::Direct, Preset::Switched, Preset::Routed];
        let ways = presets.map(|preset| way(&preset.into()).unwrap());
        assert_eq!(
            ways,
            [
                "client server",
                "client switch server",
                "client router server"
            ]
        );
    }

    #[test]
    fn a_branch_is_no_second_way() {
        let others = [("r1", Role::Router), ("other", Role::Host)];
        let links = [["server", "r1"], ["r1", "other"], ["client", "r1"]];
        let branched = graph(&others, &links);
        assert_eq!(way(&branched).unwrap(), "client r1 server");
        assert_eq!(
            branched.behind_cable(End::Server).unwrap().node.name(),
            "r1"
        );
    }

    #[test]
    fn of_two_ways_there_is_none_alone() {
        let routers = ["r1", "r2", "r3"].map(|name| (name, Role::Router));
        let links = [
            ["client", "r1"],
            ["r1", "r2"],
            ["r1", "r3"],
            ["r3", "r2"],
            ["r2", "server"],
        ];
        assert_eq!(way(&graph(&routers, &links)), None);
        assert_eq!(
            graph(&routers, &links[..4]).unreachable(),
            Some(Node::SERVER)
        );
    }
}
