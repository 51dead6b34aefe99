//! Plans the network of a checked case: names, indices, addresses and routes. Pure functions.
//!
//! Everything is fixed in advance, including link indices and hardware addresses. No value has to
//! be read from the kernel while the lab is built, and two runs of a case send the same bytes.

mod build;
mod networks;
mod routes;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{End, Family, Firewall, Node, NodeSysctls, Role, Sysctl, Topology};

/// The link index of the bridge of a switch. No planned link has this index.
pub(crate) const SWITCH_BRIDGE: u32 = 10;

/// The client's port of the first filler connection in the server's accept queue. It is above all
/// ports of the connections under test.
pub(crate) const FILLER_PORT: u16 = 41_000;

/// The network of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkPlan {
    /// IPv4 or IPv6.
    pub family: Family,
    /// The nodes: the client first, the server last.
    pub nodes: Vec<NodePlan>,
    /// The links, in the order of the topology.
    pub links: Vec<LinkPlan>,
}

/// The plan of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodePlan {
    /// The machine that the namespace represents.
    pub node: Node,
    /// The role of the machine.
    pub role: Role,
    /// Its interfaces, in the order of their indices.
    pub interfaces: Vec<InterfacePlan>,
    /// Routes besides the connected ones.
    pub routes: Vec<RoutePlan>,
    /// The sysctls that the file sets.
    pub(crate) sysctl: Vec<Sysctl>,
    /// The firewall; `None`: it forwards everything.
    pub(crate) firewall: Option<Firewall>,
}

/// The plan of one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterfacePlan {
    /// Its name in its namespace.
    pub name: String,
    /// Its link index in its namespace.
    pub index: u32,
    /// Its hardware address, from the documentation range 00-00-5E-00-53-00..FF (RFC 7042).
    pub mac: [u8; 6],
    /// The address with its prefix; `None` for a port of a switch.
    pub address: Option<Subnet>,
}

/// An address with the length of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subnet {
    /// The address of the host, or of the network.
    pub address: IpAddr,
    /// Length of the prefix in bits.
    pub(crate) prefix: u8,
}

/// A static route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoutePlan {
    /// The destination network.
    pub to: Subnet,
    /// The address of the next router; `None` for a network that the node is attached to.
    pub via: Option<IpAddr>,
    /// The link index of the outgoing interface.
    pub(crate) interface: u32,
    /// Whether it is the backup route, used while the primary route does not exist.
    pub(crate) is_backup: bool,
}

/// A veth pair: the two ends as (position in `nodes`, position in `interfaces`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkPlan {
    /// The end that the topology names first.
    pub near: (usize, usize),
    /// The other end.
    pub far: (usize, usize),
    /// The MTU, in bytes.
    pub(crate) mtu: u16,
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Subnet {
    /// The network of the address.
    #[must_use]
    pub(crate) fn network(self) -> Self {
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

impl NetworkPlan {
    /// Plans a network: first the machines and links ([`build`]), then the routes ([`routes`]).
    #[must_use]
    pub fn new(topology: &Topology, family: Family) -> Self {
        let (mut nodes, links) = build::machines(topology, family);
        for end in [End::Client, End::Server] {
            let network = address_of(&nodes, end).network();
            routes::add(&mut nodes, network);
        }
        Self {
            family,
            nodes,
            links,
        }
    }

    /// The same network with this firewall on its router. With NAT, only the router keeps its route
    /// to the client's network among the machines that have no other path to it.
    #[must_use]
    pub(crate) fn with_firewall(mut self, firewall: Option<Firewall>) -> Self {
        let Some(firewall) = firewall else {
            return self;
        };
        let mut nodes = self.nodes.iter_mut();
        if let Some(router) = nodes.find(|plan| plan.node == firewall.on) {
            router.firewall = Some(firewall);
        }
        if firewall.nat {
            let inside = self.address(End::Client).network();
            let outside = self.outside().and_then(|interface| interface.address);
            let outside = outside.map(Subnet::network);
            let known = self.address(End::Server).network();
            routes::hide(&mut self.nodes, inside, firewall.on);
            if let Some(outside) = outside.filter(|outside| *outside != known) {
                routes::add(&mut self.nodes, outside);
            }
        }
        self
    }

    /// The same network with these settings on its machines.
    #[must_use]
    pub(crate) fn with_sysctls(mut self, sysctls: &[NodeSysctls]) -> Self {
        for node in &mut self.nodes {
            let own = sysctls.iter().filter(|own| own.node == node.node);
            node.sysctl.extend(own.flat_map(|own| own.sysctl.clone()));
        }
        self
    }

    /// The plan of one node, if the topology has it.
    #[must_use]
    pub(crate) fn node(&self, node: Node) -> Option<&NodePlan> {
        self.nodes.iter().find(|plan| plan.node == node)
    }

    /// The machines that forward packets.
    pub(crate) fn routers(&self) -> impl Iterator<Item = Node> {
        let routers = self.nodes.iter().filter(|plan| plan.role == Role::Router);
        routers.map(|plan| plan.node)
    }

    /// The address of one end of the connection.
    #[must_use]
    pub(crate) fn address(&self, end: End) -> Subnet {
        address_of(&self.nodes, end)
    }

    /// The interface by which the router with NAT sends to the server; `None` without NAT.
    #[must_use]
    pub(crate) fn outside(&self) -> Option<&InterfacePlan> {
        let hides = |plan: &&NodePlan| plan.firewall.is_some_and(|firewall| firewall.nat);
        let router = self.nodes.iter().find(hides)?;
        let route = self.route(router.node, End::Server)?;
        let mut interfaces = router.interfaces.iter();
        interfaces.find(|interface| interface.index == route.interface)
    }

    /// The address of an end as the other end sees it. Behind NAT, it is the router's address.
    #[must_use]
    pub(crate) fn seen_address(&self, end: End) -> IpAddr {
        let outside = self.outside().filter(|_| end == End::Client);
        let outside = outside.and_then(|interface| interface.address);
        outside.unwrap_or(self.address(end)).address
    }

    /// The socket address of one end of the connection with this port.
    #[must_use]
    pub fn socket_address(&self, end: End, port: u16) -> SocketAddr {
        SocketAddr::new(self.address(end).address, port)
    }

    /// The machine that has an address.
    #[must_use]
    pub(crate) fn owner(&self, address: IpAddr) -> Option<Node> {
        let has = |plan: &&NodePlan| {
            let mut own = plan.interfaces.iter().filter_map(|own| own.address);
            own.any(|own| own.address == address)
        };
        self.nodes.iter().find(has).map(|plan| plan.node)
    }

    /// The route by which `on` reaches the network of `to`: the route of the attached network, or a
    /// planned one.
    #[must_use]
    pub(crate) fn route(&self, on: Node, to: End) -> Option<RoutePlan> {
        self.routes(on, to).into_iter().next()
    }

    /// All routes by which `on` reaches the network of `to`: the primary route, then the backup
    /// route.
    #[must_use]
    pub(crate) fn routes(&self, on: Node, to: End) -> Vec<RoutePlan> {
        let network = self.address(to).network();
        let Some(plan) = self.node(on) else {
            return Vec::new();
        };
        let attached = plan.attached(network).map(|interface| RoutePlan {
            to: network,
            via: None,
            interface: interface.index,
            is_backup: false,
        });
        let planned = plan.routes.iter().filter(|route| route.to == network);
        attached.into_iter().chain(planned.copied()).collect()
    }

    /// The route by which `on` would reach the network of `to` through this router. `None` if the
    /// two share no network.
    #[must_use]
    pub(crate) fn route_via(&self, on: Node, to: End, via: Node) -> Option<RoutePlan> {
        let next = self.node(via)?.interfaces.iter();
        let (next, own) = next.filter_map(|next| next.address).find_map(|next| {
            let own = self.node(on)?.attached(next.network())?;
            Some((next, own))
        })?;
        Some(RoutePlan {
            to: self.address(to).network(),
            via: Some(next.address),
            interface: own.index,
            is_backup: false,
        })
    }

    /// The two sides of a machine's link to another machine, or of its first link for `None`: its
    /// own side first, each as in [`LinkPlan`].
    #[must_use]
    pub(crate) fn sides(&self, at: Node, to: Option<Node>) -> Option<[(usize, usize); 2]> {
        let name = |side: (usize, usize)| self.nodes[side.0].node;
        let joins = |[own, across]: &[(usize, usize); 2]| {
            name(*own) == at && to.is_none_or(|to| name(*across) == to)
        };
        let both = |link: &LinkPlan| [[link.near, link.far], [link.far, link.near]];
        self.links.iter().flat_map(both).find(joins)
    }

    /// The node at the other end of a node's link.
    #[must_use]
    pub(crate) fn across(&self, node: Node, link: u32) -> Option<Node> {
        let of = |(position, interface): (usize, usize)| {
            let plan = &self.nodes[position];
            (plan.node, plan.interfaces[interface].index)
        };
        let both = |link: &LinkPlan| [(link.near, link.far), (link.far, link.near)];
        let mut sides = self.links.iter().flat_map(both);
        sides.find_map(|(own, far)| (of(own) == (node, link)).then(|| of(far).0))
    }

    /// The next hop on the path from `on` to the end `to`: the link index, and the address of the
    /// next node there. Behind NAT, the server's path to the client ends at the router.
    #[must_use]
    pub(crate) fn next_hop(&self, on: Node, to: End) -> Option<(u32, IpAddr)> {
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

impl NodePlan {
    /// The interface of the node on this network.
    fn attached(&self, network: Subnet) -> Option<&InterfacePlan> {
        let on_it =
            |interface: &&InterfacePlan| interface.address.map(Subnet::network) == Some(network);
        self.interfaces.iter().find(on_it)
    }
}

/// The address of an end. An end always has exactly one interface, with an address.
fn address_of(nodes: &[NodePlan], end: End) -> Subnet {
    let mut own = nodes.iter().filter(|plan| plan.node == end.node());
    let address = own.next().and_then(|plan| plan.interfaces.first()?.address);
    address.unwrap_or(Subnet {
        address: Ipv4Addr::UNSPECIFIED.into(),
        prefix: 0,
    })
}

#[cfg(test)]
mod tests;
