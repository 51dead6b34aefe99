//! The network of one case: namespaces, links, addresses and routes, and the operations that change
//! them during the case.
//!
//! A lab is built only from its plans, one for each address family that it carries. None of its
//! sockets and links ever exists in the host's own namespace. Dropping a lab closes its
//! descriptors. The kernel then destroys the namespaces asynchronously, so no case waits for it.

pub(crate) mod capture;
pub(crate) mod counters;
pub(crate) mod diag;
pub(crate) mod drops;
pub mod error;
mod event_log;
mod firewall;
mod flows;
mod forwarding;
mod impairment;
mod link_states;
mod middlebox;
pub mod namespace;
mod neighbours;
mod nft;
pub(crate) mod node;
mod queue;
mod routes;
mod rtnl_event;
mod silence;
mod stamps;
pub(crate) mod sysctl;
pub(crate) mod tables;

use futures::future::{try_join_all, try_join3};

use tokio::runtime::Handle;

use self::error::LabError;
use self::node::LabNode;
use crate::model::{Connection, End, Family, Node, Role};
use crate::plan::{InterfacePlan, NetworkPlan, SWITCH_BRIDGE};

/// The interface index of the loopback device in every namespace.
const LOOPBACK: u32 = 1;

/// A network that is up.
#[derive(Debug)]
pub struct Lab {
    /// The plans that the lab was built from: one for each address family, with the addresses and
    /// routes of that family. The machines and links are the same in all plans.
    pub plans: Vec<NetworkPlan>,
    nodes: Vec<LabNode>,
}

impl Lab {
    /// Builds a network that carries the address families of `plans`, and waits until every link
    /// and address is usable. The rtnetlink connections run on the runtime `netlink`, because its
    /// threads may have to wait for the kernel.
    ///
    /// # Errors
    /// [`LabError`]: the operation that failed, its namespace, and the kernel's error.
    pub async fn build(
        plans: Vec<NetworkPlan>,
        connection: &Connection,
        netlink: &Handle,
    ) -> Result<Self, LabError> {
        let nodes = try_join_all(plans[0].nodes.iter().map(|node| {
            let mut settings = sysctl::pinned(node.node, &plans);
            settings.extend(match node.node {
                Node::CLIENT => sysctl::of_end(&connection.client),
                Node::SERVER => sysctl::of_end(&connection.server),
                _ => sysctl::stated(&node.sysctl),
            });
            LabNode::create(node.node, node.role, &plans, settings, netlink)
        }))
        .await?;
        let outside = plans[0].outside().map(|interface| interface.index);
        // Install the firewall before any link exists, so that no packet passes unfiltered.
        for (node, plan) in nodes.iter().zip(&plans[0].nodes) {
            if let Some(firewall) = plan.firewall {
                node.set_firewall(firewall, outside).await?;
            }
        }
        let lab = Self { plans, nodes };
        try_join_all(lab.plans[0].links.iter().map(|link| {
            let (near, far) = (&lab.nodes[link.near.0], &lab.nodes[link.far.0]);
            let (near_end, far_end) = (lab.interface(link.near), lab.interface(link.far));
            near.add_veth(near_end, far, far_end, link.mtu)
        }))
        .await?;
        try_join_all((0..lab.nodes.len()).map(|position| lab.bring_up(position))).await?;
        for plan in &lab.plans {
            for (node, plan) in lab.nodes.iter().zip(&plan.nodes) {
                for interface in &plan.interfaces {
                    node.wait_until_usable(interface).await?;
                }
            }
        }
        Ok(lab)
    }

    /// Returns the addresses and routes of one address family.
    ///
    /// # Panics
    /// Never for a case that the lab was built for: its network carries the family of its
    /// connection.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "the network of a case carries the family of its connection"
    )]
    pub(crate) fn plan(&self, family: Family) -> &NetworkPlan {
        let mut plans = self.plans.iter();
        plans
            .find(|plan| plan.family == family)
            .expect("a family that the network carries")
    }

    fn interface(&self, (node, interface): (usize, usize)) -> &InterfacePlan {
        &self.plans[0].nodes[node].interfaces[interface]
    }

    /// Sets the links of one node up and adds its addresses and routes. All requests are sent at
    /// once. The kernel processes them in the order in which the futures are first polled, which is
    /// their order in this function.
    async fn bring_up(&self, position: usize) -> Result<(), LabError> {
        let (node, plan) = (&self.nodes[position], &self.plans[0].nodes[position]);
        let plans_of_node = || self.plans.iter().map(|plan| &plan.nodes[position]);
        if plan.role == Role::Switch {
            return bring_up_switch(node, &plan.interfaces).await;
        }
        let links = [LOOPBACK]
            .into_iter()
            .chain(plan.interfaces.iter().map(|interface| interface.index));
        let addresses = plans_of_node()
            .flat_map(|plan| &plan.interfaces)
            .filter_map(|interface| Some((interface.index, interface.address?)));
        let routes = plans_of_node().flat_map(|plan| &plan.routes);
        try_join3(
            try_join_all(links.map(|link| node.set_up(link, true))),
            try_join_all(addresses.map(|(link, subnet)| node.add_address(link, subnet))),
            try_join_all(routes.map(|route| node.add_route(*route))),
        )
        .await?;
        Ok(())
    }

    /// All machines, the client first and the server last.
    #[must_use]
    pub(crate) fn nodes(&self) -> &[LabNode] {
        &self.nodes
    }

    /// Returns one machine of the lab.
    ///
    /// # Panics
    /// Never for a checked case: its steps name only nodes that its topology has.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a checked case names only nodes that its topology has"
    )]
    pub fn node(&self, node: Node) -> &LabNode {
        self.nodes
            .iter()
            .find(|candidate| candidate.node == node)
            .expect("a node of the topology")
    }

    /// Returns the interface over which an end is attached to the network.
    #[must_use]
    pub fn uplink(&self, end: End) -> &InterfacePlan {
        let [own, _] = self.positions(end.node(), None);
        self.interface(own)
    }

    /// Returns the two ends of the link from `at` to `to`, the end at `at` first. Without `to`, it
    /// is the first link of `at`, which is the only link of a host.
    ///
    /// # Panics
    /// Never for a checked case: its steps name only links that its topology has.
    #[must_use]
    pub(crate) fn sides(&self, at: Node, to: Option<Node>) -> [LinkEnd<'_>; 2] {
        self.positions(at, to).map(|side| LinkEnd {
            node: &self.nodes[side.0],
            interface: self.interface(side),
        })
    }

    /// Returns the same two ends as indices: of the node among the nodes, and of the interface
    /// among the interfaces of the node.
    #[expect(
        clippy::expect_used,
        reason = "a checked case names only links that its topology has"
    )]
    fn positions(&self, at: Node, to: Option<Node>) -> [(usize, usize); 2] {
        self.plans[0].sides(at, to).expect("a link of the topology")
    }
}

/// One end of a link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkEnd<'l> {
    /// The node that the interface belongs to.
    pub(crate) node: &'l LabNode,
    /// The interface at this end.
    pub(crate) interface: &'l InterfacePlan,
}

async fn bring_up_switch(node: &LabNode, ports: &[InterfacePlan]) -> Result<(), LabError> {
    node.add_bridge("br0", SWITCH_BRIDGE).await?;
    node.set_up(SWITCH_BRIDGE, true).await?;
    for port in ports {
        node.set_bridge(port.index, SWITCH_BRIDGE).await?;
        node.set_up(port.index, true).await?;
    }
    Ok(())
}
