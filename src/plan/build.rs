//! Builds the plans of the machines with their interfaces, and of the links, from a topology.

use std::collections::BTreeSet;

use super::networks::Networks;
use super::{InterfacePlan, LinkPlan, NodePlan, SWITCH_BRIDGE};
use crate::model::{Family, Node, Role, Topology};

/// The machines in the order of the topology, without routes, and its links.
pub(super) fn machines(topology: &Topology, family: Family) -> (Vec<NodePlan>, Vec<LinkPlan>) {
    let networks = Networks::of(topology);
    let mut numbers = Numbers::default();
    let machines = topology.machines().iter();
    let nodes = machines.map(|machine| {
        let own = links_of(topology, machine.node).enumerate();
        let interfaces = own.map(|(number, link)| InterfacePlan {
            name: match machine.role {
                Role::Switch => format!("port{}", number + 1),
                Role::Host | Role::Router => format!("eth{number}"),
            },
            index: numbers.index(machine.node),
            mac: [
                0x00,
                0x00,
                0x5e,
                0x00,
                0x53,
                numbers.mac(machine.node, machine.role),
            ],
            address: networks.address(family, machine.node, link),
        });
        NodePlan {
            node: machine.node,
            role: machine.role,
            interfaces: interfaces.collect(),
            routes: Vec::new(),
            sysctl: Vec::new(),
            firewall: None,
        }
    });
    let nodes = nodes.collect();
    let side = |node: Node, link: usize| {
        let place = |machine: &crate::model::Machine| machine.node == node;
        let machine = topology
            .machines()
            .iter()
            .position(place)
            .unwrap_or_default();
        let interface = links_of(topology, node).take_while(|own| *own != link);
        (machine, interface.count())
    };
    let links = topology.links().iter().enumerate();
    let links = links.map(|(place, link)| LinkPlan {
        near: side(link.between[0], place),
        far: side(link.between[1], place),
        mtu: link.mtu,
    });
    (nodes, links.collect())
}

/// The positions of a machine's links in the topology.
fn links_of(topology: &Topology, node: Node) -> impl Iterator<Item = usize> {
    let links = topology.links().iter().enumerate();
    links.filter_map(move |(place, link)| link.across(node).map(|_| place))
}

/// The link indices and hardware addresses that are in use.
///
/// No two indices in a lab are equal. If the index of a veth is equal to that of its peer, the
/// kernel treats a change of the carrier as not urgent and announces it up to a second later
/// (`linkwatch_urgent_event`). Index 1 is the loopback.
#[derive(Default)]
struct Numbers {
    indices: BTreeSet<u32>,
    macs: BTreeSet<u8>,
}

impl Numbers {
    fn index(&mut self, node: Node) -> u32 {
        let first = match node {
            Node::CLIENT => 2,
            Node::SERVER => 3,
            _ => 4,
        };
        let is_free = |index: &u32| !self.indices.contains(index) && *index != SWITCH_BRIDGE;
        let index = (first..).find(is_free).unwrap_or(first);
        self.indices.insert(index);
        index
    }

    /// The last byte of a hardware address. Its range identifies the kind of machine in a capture.
    fn mac(&mut self, node: Node, role: Role) -> u8 {
        let first = match (node, role) {
            (Node::CLIENT, _) => 0x01,
            (Node::SERVER, _) => 0x02,
            (_, Role::Switch) => 0x11,
            (_, Role::Host | Role::Router) => 0x21,
        };
        let is_free = |mac: &u8| !self.macs.contains(mac);
        let mac = (first..=u8::MAX).find(is_free).unwrap_or(first);
        self.macs.insert(mac);
        mac
    }
}
