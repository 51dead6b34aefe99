//! A checked case to the network that will be built for it: names, indices, addresses, routes. Pure.
//!
//! Everything is fixed in advance, link indices and hardware addresses included: nothing has to be asked of the kernel while the
//! lab is built, and two runs of a case put the same bytes on the wire.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::model::{End, Family, Firewall, Node, Topology};

/// The port that the server listens on.
pub const SERVER_PORT: u16 = 7777;
/// The port of the client's first connection; the others follow.
pub const CLIENT_PORT: u16 = 40_000;

/// The network of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkPlan {
    /// IPv4 or IPv6.
    pub family: Family,
    /// From the client to the server.
    pub nodes: Vec<NodePlan>,
    /// Each between two neighbours in `nodes`.
    pub links: Vec<LinkPlan>,
}

/// One namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodePlan {
    /// Which machine it plays.
    pub node: Node,
    /// Its interfaces, in the order of their indices.
    pub interfaces: Vec<InterfacePlan>,
    /// Routes besides the connected ones.
    pub routes: Vec<RoutePlan>,
    /// What it forwards; `None`: everything.
    pub firewall: Option<Firewall>,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterfacePlan {
    /// Its name in its namespace.
    pub name: String,
    /// Its link index in its namespace.
    pub index: u32,
    /// Its hardware address, from the documentation range 00-00-5E-00-53-00..FF (RFC 7042).
    pub mac: [u8; 6],
    /// `None` for a port of the switch.
    pub address: Option<Subnet>,
}

/// An address with the length of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subnet {
    /// The address of the host, or of the network.
    pub address: IpAddr,
    /// Length of the prefix in bits.
    pub prefix: u8,
}

/// A static route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoutePlan {
    /// Towards which network.
    pub to: Subnet,
    /// Through which router; `None` on a network that the node is attached to.
    pub via: Option<IpAddr>,
    /// Out of which interface.
    pub interface: u32,
}

/// A veth pair: the two ends as (position in `nodes`, position in `interfaces`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkPlan {
    /// The end nearer to the client.
    pub near: (usize, usize),
    /// The end nearer to the server.
    pub far: (usize, usize),
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Subnet {
    /// The network that the address lies in.
    #[must_use]
    pub fn network(self) -> Self {
        let address = match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.prefix))
                    .unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.prefix))
                    .unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
            }
        };
        Self { address, ..self }
    }
}

/// The address of host number `host` on network number `network` (1 or 2), within the documentation ranges
/// (RFC 5737: 192.0.2.0/24 and 198.51.100.0/24; RFC 3849: 2001:db8::/32).
fn subnet(family: Family, network: u8, host: u8) -> Subnet {
    match family {
        Family::Ipv4 if network == 1 => Subnet {
            address: Ipv4Addr::new(192, 0, 2, host).into(),
            prefix: 24,
        },
        Family::Ipv4 => Subnet {
            address: Ipv4Addr::new(198, 51, 100, host).into(),
            prefix: 24,
        },
        Family::Ipv6 => {
            let segments = [
                0x2001,
                0xdb8,
                u16::from(network),
                0,
                0,
                0,
                0,
                u16::from(host),
            ];
            Subnet {
                address: Ipv6Addr::from(segments).into(),
                prefix: 64,
            }
        }
    }
}

fn interface(name: &str, index: u32, mac: u8, address: Option<Subnet>) -> InterfacePlan {
    InterfacePlan {
        name: name.to_owned(),
        index,
        mac: [0x00, 0x00, 0x5e, 0x00, 0x53, mac],
        address,
    }
}

fn node(node: Node, interfaces: Vec<InterfacePlan>, routes: Vec<RoutePlan>) -> NodePlan {
    NodePlan {
        node,
        interfaces,
        routes,
        firewall: None,
    }
}

/// Link indices, the loopback's being 1. No two in a lab are equal: the kernel takes the carrier of a veth whose index equals its
/// peer's for a matter without urgency, and announces it up to a second later (`linkwatch_urgent_event`).
mod index {
    pub(super) const CLIENT: u32 = 2;
    pub(super) const SERVER: u32 = 3;
    pub(super) const NEAR: u32 = 4;
    pub(super) const FAR: u32 = 5;
}

impl NetworkPlan {
    /// Plans the network of a preset.
    #[must_use]
    pub fn new(topology: Topology, family: Family) -> Self {
        let nodes = match topology {
            Topology::Direct => attached(family, None),
            Topology::Switched => attached(family, Some(switch())),
            Topology::Routed => routed(family),
        };
        let links = (1..nodes.len())
            .map(|far| LinkPlan {
                near: (far - 1, nodes[far - 1].interfaces.len() - 1),
                far: (far, 0),
            })
            .collect();
        Self {
            family,
            nodes,
            links,
        }
    }

    /// The same network with this firewall on its router.
    #[must_use]
    pub fn with_firewall(mut self, firewall: Option<Firewall>) -> Self {
        let routers = self.nodes.iter_mut();
        for router in routers.filter(|plan| plan.node == Node::Router) {
            router.firewall = firewall;
        }
        if firewall.is_some_and(|firewall| firewall.nat) {
            let inside = self.address(End::Client).network();
            for node in &mut self.nodes {
                node.routes.retain(|route| route.to != inside);
            }
        }
        self
    }

    /// The plan of one node, if the topology has it.
    #[must_use]
    pub fn node(&self, node: Node) -> Option<&NodePlan> {
        self.nodes.iter().find(|plan| plan.node == node)
    }

    /// The address of one end of the connection.
    #[must_use]
    pub fn address(&self, end: End) -> Subnet {
        let position = match end {
            End::Client => 0,
            End::Server => self.nodes.len() - 1,
        };
        self.nodes[position].interfaces[0]
            .address
            .unwrap_or(Subnet {
                address: Ipv4Addr::UNSPECIFIED.into(),
                prefix: 0,
            })
    }

    /// The address under which the other end knows this one: behind NAT, the router's.
    #[must_use]
    pub fn seen_address(&self, end: End) -> IpAddr {
        let hidden = |plan: &&NodePlan| {
            end == End::Client && plan.firewall.is_some_and(|firewall| firewall.nat)
        };
        let outside = self.nodes.iter().find(hidden);
        let outside = outside.and_then(|router| router.interfaces.last()?.address);
        outside.unwrap_or(self.address(end)).address
    }

    /// A socket's address at one end of the connection.
    #[must_use]
    pub fn socket_address(&self, end: End, port: u16) -> SocketAddr {
        SocketAddr::new(self.address(end).address, port)
    }

    /// The route by which `on` reaches the network of `to`: a planned one, or that of the attached network.
    #[must_use]
    pub fn route(&self, on: Node, to: End) -> Option<RoutePlan> {
        let network = self.address(to).network();
        let plan = self.node(on)?;
        let attached = plan
            .interfaces
            .iter()
            .find(|interface| interface.address.map(Subnet::network) == Some(network));
        match attached {
            Some(interface) => Some(RoutePlan {
                to: network,
                via: None,
                interface: interface.index,
            }),
            None => plan
                .routes
                .iter()
                .find(|route| route.to == network)
                .copied(),
        }
    }

    /// The next node on the way from `on` to the end `to`: over which link, and its address there. Behind NAT the server's way to the
    /// client ends at the router.
    #[must_use]
    pub fn next_hop(&self, on: Node, to: End) -> Option<(u32, IpAddr)> {
        let across = to.peer().node() == on;
        let address = if across {
            self.seen_address(to)
        } else {
            self.address(to).address
        };
        let near = |interface: &&InterfacePlan| {
            let network = |address, prefix| Subnet { address, prefix }.network();
            interface
                .address
                .is_some_and(|own| network(own.address, own.prefix) == network(address, own.prefix))
        };
        let plan = self.node(on)?;
        if let Some(interface) = plan.interfaces.iter().find(near) {
            return Some((interface.index, address));
        }
        let route = self.route(on, to)?;
        Some((route.interface, route.via?))
    }
}

fn client(address: Subnet, routes: Vec<RoutePlan>) -> NodePlan {
    let uplink = interface("eth0", index::CLIENT, 0x01, Some(address));
    node(Node::Client, vec![uplink], routes)
}

fn server(address: Subnet, routes: Vec<RoutePlan>) -> NodePlan {
    let uplink = interface("eth0", index::SERVER, 0x02, Some(address));
    node(Node::Server, vec![uplink], routes)
}

fn switch() -> NodePlan {
    let ports = vec![
        interface("port1", index::NEAR, 0x11, None),
        interface("port2", index::FAR, 0x12, None),
    ];
    node(Node::Switch, ports, vec![])
}

/// Both hosts on one network.
fn attached(family: Family, between: Option<NodePlan>) -> Vec<NodePlan> {
    let near = client(subnet(family, 1, 1), vec![]);
    let far = server(subnet(family, 1, 2), vec![]);
    [Some(near), between, Some(far)]
        .into_iter()
        .flatten()
        .collect()
}

/// Each host on a network of its own.
fn routed(family: Family) -> Vec<NodePlan> {
    let (here, there) = (subnet(family, 1, 1), subnet(family, 2, 1));
    let (near, far) = (subnet(family, 1, 254), subnet(family, 2, 254));
    let towards = |network: Subnet, router: Subnet, interface: u32| RoutePlan {
        to: network.network(),
        via: Some(router.address),
        interface,
    };
    let ports = vec![
        interface("eth0", index::NEAR, 0x21, Some(near)),
        interface("eth1", index::FAR, 0x22, Some(far)),
    ];
    vec![
        client(here, vec![towards(there, near, index::CLIENT)]),
        node(Node::Router, ports, vec![]),
        server(there, vec![towards(here, far, index::SERVER)]),
    ]
}

#[cfg(test)]
mod tests;
