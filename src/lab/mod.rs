//! The network of one case: namespaces, links, addresses, routes, and what is done to them later.
//!
//! A lab is built from its plans, one for each family that it carries, and from nothing else; no
//! socket and no link of it ever exists in the host's own namespace. Dropping it closes its
//! descriptors, and the kernel takes everything back in its own time, off the critical path.

pub mod capture;
pub mod counters;
pub mod diag;
pub mod drops;
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
pub mod node;
mod queue;
mod routes;
mod rtnl_event;
mod silence;
mod stamps;
pub mod sysctl;
pub mod tables;

use futures::future::{try_join_all, try_join3};

use tokio::runtime::Handle;

use self::error::LabError;
use self::node::LabNode;
use crate::model::{Connection, End, Family, Node, Role};
use crate::plan::{InterfacePlan, NetworkPlan, SWITCH_BRIDGE};

/// The loopback's index in every namespace.
const LOOPBACK: u32 = 1;

/// A network that is up.
#[derive(Debug)]
pub struct Lab {
    /// What it was built from: of each family that it carries its addresses and routes. Machines
    /// and links are the same in all.
    pub plans: Vec<NetworkPlan>,
    nodes: Vec<LabNode>,
}

impl Lab {
    /// Builds the network, which carries the families of these plans, and waits until every link
    /// and address is usable. Requests to rtnetlink are made in `netlink`, whose threads may
    /// have to wait for the kernel.
    ///
    /// # Errors
    /// [`LabError`]: what could not be done, in which namespace, and the kernel's answer.
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
        // Before any link, so that no packet passes it unseen.
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

    /// The addresses and routes of one family.
    ///
    /// # Panics
    /// Never for a case that the lab was built for: its network carries the family of its
    /// connection.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "the network of a case carries the family of its connection"
    )]
    pub fn plan(&self, family: Family) -> &NetworkPlan {
        let mut plans = self.plans.iter();
        plans
            .find(|plan| plan.family == family)
            .expect("a family that the network carries")
    }

    fn interface(&self, (node, interface): (usize, usize)) -> &InterfacePlan {
        &self.plans[0].nodes[node].interfaces[interface]
    }

    /// One node's links up, with addresses and routes. The requests go out together; the kernel
    /// takes them in the order in which the futures are first polled, which is the order in
    /// which they stand here.
    async fn bring_up(&self, position: usize) -> Result<(), LabError> {
        let (node, plan) = (&self.nodes[position], &self.plans[0].nodes[position]);
        let of_families = || self.plans.iter().map(|plan| &plan.nodes[position]);
        if plan.role == Role::Switch {
            return bring_up_switch(node, &plan.interfaces).await;
        }
        let links = [LOOPBACK]
            .into_iter()
            .chain(plan.interfaces.iter().map(|interface| interface.index));
        let addresses = of_families()
            .flat_map(|plan| &plan.interfaces)
            .filter_map(|interface| Some((interface.index, interface.address?)));
        let routes = of_families().flat_map(|plan| &plan.routes);
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
    pub fn nodes(&self) -> &[LabNode] {
        &self.nodes
    }

    /// One machine of the lab.
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

    /// The link over which one end is attached.
    #[must_use]
    pub fn uplink(&self, end: End) -> &InterfacePlan {
        let [own, _] = self.positions(end.node(), None);
        self.interface(own)
    }

    /// The two sides of a machine's link to another one, or of its only link, its own side first.
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

    /// The same, by their positions among the machines and their interfaces.
    #[expect(
        clippy::expect_used,
        reason = "a checked case names only links that its topology has"
    )]
    fn positions(&self, at: Node, to: Option<Node>) -> [(usize, usize); 2] {
        self.plans[0].sides(at, to).expect("a link of the topology")
    }
}

/// One side of a link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkEnd<'l> {
    /// Whose it is.
    pub node: &'l LabNode,
    /// The interface.
    pub interface: &'l InterfacePlan,
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
