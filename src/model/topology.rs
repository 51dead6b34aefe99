//! The network as a graph: machines, and the links between them. The presets are graphs too.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::display::display_as;
use super::end::End;
use crate::model::Node;

/// A network: connected, with the client and the server at its edges. A checked one:
/// `crate::scenario` refuses what could not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Topology {
    /// The preset that it is; `None` where the file spells it out.
    preset: Option<Preset>,
    /// From the client to the server; those between them in the order of the file.
    machines: Vec<Machine>,
    /// In the order of the file.
    links: Vec<Link>,
}

/// The networks that ship.
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

/// A machine with what it does for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Machine {
    /// Its name.
    pub node: Node,
    /// What it does with what is not for itself.
    pub role: Role,
}

/// What a machine does with what is not for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing; it has one link.
    Host,
    /// It forwards packets between networks.
    Router,
    /// It forwards frames between its ports: a bridge, without addresses.
    Switch,
}

/// A cable between two machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Link {
    /// Which two.
    pub between: [Node; 2],
    /// The largest packet that it takes, in both directions.
    pub mtu: u16,
}

/// One side of a link, as a file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The cable of an end.
    Cable(End),
    /// The interface of a machine on its link to another one.
    Link(Node, Node),
}

impl Link {
    /// The machine across.
    #[must_use]
    pub(crate) fn across(&self, node: Node) -> Option<Node> {
        let [near, far] = self.between;
        match node {
            _ if node == near => Some(far),
            _ if node == far => Some(near),
            _ => None,
        }
    }

    /// Whether it is between these two, in either order.
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
    /// One of the file's own, with these machines besides the client and the server.
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

    /// The preset that it is.
    #[must_use]
    pub fn preset(&self) -> Option<Preset> {
        self.preset
    }

    /// From the client to the server; those between them in the order of the file.
    #[must_use]
    pub(crate) fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// In the order of the file.
    #[must_use]
    pub(crate) fn links(&self) -> &[Link] {
        &self.links
    }

    /// What a machine does; `None` where there is none of this name.
    #[must_use]
    pub(crate) fn role(&self, node: Node) -> Option<Role> {
        let machine = self.machines.iter().find(|machine| machine.node == node);
        machine.map(|machine| machine.role)
    }

    /// The machines that do this.
    pub(crate) fn of_role(&self, role: Role) -> impl Iterator<Item = Node> {
        let machines = self.machines.iter();
        machines.filter_map(move |machine| (machine.role == role).then_some(machine.node))
    }

    /// The machines at the other sides of a machine's links.
    pub(crate) fn neighbours(&self, node: Node) -> impl Iterator<Item = Node> {
        self.links.iter().filter_map(move |link| link.across(node))
    }

    /// The machine at the other side of an end's cable, if it is not the other end.
    #[must_use]
    pub(crate) fn behind_cable(&self, end: End) -> Option<Machine> {
        let across = self.neighbours(end.node()).next()?;
        let machine = self.machines.iter().find(|machine| machine.node == across);
        machine
            .copied()
            .filter(|machine| machine.node != end.peer().node())
    }

    /// Whether one cable joins the two ends.
    #[must_use]
    pub(crate) fn is_one_cable(&self) -> bool {
        self.behind_cable(End::Client).is_none()
    }

    /// Of each link, the number of its network, from 0 in the order of their first links: what a
    /// switch joins is one.
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

    /// The routers that a machine can send to, in the order of the file.
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

    /// The machines that can be reached from the client without this link, each with the one before
    /// it on a shortest way.
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

    /// A machine that the client has no way to.
    pub(crate) fn unreachable(&self) -> Option<Node> {
        let reached = self.reached(None);
        let mut nodes = self.machines.iter().map(|machine| machine.node);
        nodes.find(|node| !reached.contains_key(node))
    }

    /// The machines from the client to the server, both included, where there is only one way;
    /// `None` where there are several.
    #[must_use]
    pub(crate) fn unique_path(&self) -> Option<Vec<Node>> {
        let reached = self.reached(None);
        let mut way = vec![Node::SERVER];
        while let Some(last) = way.last().filter(|last| **last != Node::CLIENT) {
            way.push(*reached.get(last)?);
        }
        way.reverse();
        let is_needed = |pair: &[Node]| {
            let link = self.links.iter().find(|link| link.joins(pair[0], pair[1]));
            link.is_some_and(|link| !self.reached(Some(link)).contains_key(&Node::SERVER))
        };
        way.windows(2).all(is_needed).then_some(way)
    }
}

/// Every link's, from the beginning.
pub(crate) const LARGEST_MTU: u16 = 1500;

/// IPv6 is off on a link that takes less (RFC 8200 section 5; `addrconf_notify`).
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
