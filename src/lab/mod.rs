//! The network of one case: namespaces, links, addresses, routes, and what is done to them later.
//!
//! A lab is built from its plan and from nothing else; no socket and no link of it ever exists in the host's own namespace. Dropping
//! it closes its descriptors, and the kernel takes everything back in its own time, off the critical path.

mod announced;
mod announcement;
pub mod capture;
pub mod changes;
pub mod counters;
pub mod diag;
pub mod drops;
pub mod error;
mod firewall;
mod flows;
mod history;
mod impairment;
mod middlebox;
pub mod namespace;
mod neighbours;
mod nft;
pub mod node;
mod queue;
mod routes;
pub mod sysctl;
pub mod tables;

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::{try_join_all, try_join3};

use tokio::runtime::Handle;

use self::changes::Changes;
use self::error::LabError;
use self::node::LabNode;
use crate::plan::{InterfacePlan, NetworkPlan, SWITCH_BRIDGE};
use crate::scenario::model::{Connection, End, Node, Role};

/// The loopback's index in every namespace.
const LOOPBACK: u32 = 1;

/// A network that is up.
#[derive(Debug)]
pub struct Lab {
    /// What it was built from.
    pub plan: NetworkPlan,
    nodes: Vec<LabNode>,
    changes: Mutex<Changes>,
}

impl Lab {
    /// Builds the network and waits until every link and address is usable. Requests to rtnetlink are made in `netlink`, whose threads may
    /// have to wait for the kernel.
    ///
    /// # Errors
    /// [`LabError`]: what could not be done, in which namespace, and the kernel's answer.
    pub async fn build(
        plan: NetworkPlan,
        connection: &Connection,
        netlink: &Handle,
    ) -> Result<Self, LabError> {
        let nodes = try_join_all(plan.nodes.iter().map(|node| {
            let mut settings = sysctl::pinned(node, plan.family);
            settings.extend(match node.node {
                Node::CLIENT => sysctl::of_end(&connection.client),
                Node::SERVER => sysctl::of_end(&connection.server),
                _ => sysctl::stated(&node.sysctl),
            });
            LabNode::create(node.node, node.role, plan.family, settings, netlink)
        }))
        .await?;
        let outside = plan.outside().map(|interface| interface.index);
        // Before any link, so that no packet passes it unseen.
        for (node, plan) in nodes.iter().zip(&plan.nodes) {
            if let Some(firewall) = plan.firewall {
                node.set_firewall(firewall, outside).await?;
            }
        }
        let changes = Mutex::default();
        let lab = Self {
            plan,
            nodes,
            changes,
        };
        try_join_all(lab.plan.links.iter().map(|link| {
            let (near, far) = (&lab.nodes[link.near.0], &lab.nodes[link.far.0]);
            let (near_end, far_end) = (lab.interface(link.near), lab.interface(link.far));
            near.add_veth(near_end, far, far_end, link.mtu)
        }))
        .await?;
        try_join_all((0..lab.nodes.len()).map(|position| lab.bring_up(position))).await?;
        for (node, plan) in lab.nodes.iter().zip(&lab.plan.nodes) {
            for interface in &plan.interfaces {
                node.wait_until_usable(interface).await?;
            }
        }
        Ok(lab)
    }

    fn interface(&self, (node, interface): (usize, usize)) -> &InterfacePlan {
        &self.plan.nodes[node].interfaces[interface]
    }

    /// One node's links up, with addresses and routes. The requests go out together; the kernel takes them in the order in which
    /// the futures are first polled, which is the order in which they stand here.
    async fn bring_up(&self, position: usize) -> Result<(), LabError> {
        let (node, plan) = (&self.nodes[position], &self.plan.nodes[position]);
        if plan.role == Role::Switch {
            return bring_up_switch(node, &plan.interfaces).await;
        }
        let links = [LOOPBACK]
            .into_iter()
            .chain(plan.interfaces.iter().map(|interface| interface.index));
        let addresses = plan
            .interfaces
            .iter()
            .filter_map(|interface| Some((interface.index, interface.address?)));
        try_join3(
            try_join_all(links.map(|link| node.set_up(link, true))),
            try_join_all(addresses.map(|(link, subnet)| node.add_address(link, subnet))),
            try_join_all(plan.routes.iter().map(|route| node.add_route(*route))),
        )
        .await?;
        Ok(())
    }

    /// All machines, the client first and the server last.
    #[must_use]
    pub fn nodes(&self) -> &[LabNode] {
        &self.nodes
    }

    /// What steps have made of it since.
    pub fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
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
        let position = match end {
            End::Client => 0,
            End::Server => self.plan.nodes.len() - 1,
        };
        self.interface((position, 0))
    }

    /// The two sides of a machine's link to another one, or of its only link, its own side first.
    ///
    /// # Panics
    /// Never for a checked case: its steps name only links that its topology has.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a checked case names only links that its topology has"
    )]
    pub fn sides(&self, at: Node, to: Option<Node>) -> [Side<'_>; 2] {
        let sides = self.plan.sides(at, to).expect("a link of the topology");
        sides.map(|side| Side {
            node: &self.nodes[side.0],
            interface: self.interface(side),
        })
    }
}

/// One side of a link.
#[derive(Debug, Clone, Copy)]
pub struct Side<'l> {
    /// Whose it is.
    pub node: &'l LabNode,
    /// The interface.
    pub interface: &'l InterfacePlan,
}

async fn bring_up_switch(node: &LabNode, ports: &[InterfacePlan]) -> Result<(), LabError> {
    node.add_bridge("br0", SWITCH_BRIDGE).await?;
    node.set_up(SWITCH_BRIDGE, true).await?;
    for port in ports {
        node.set_bridge(port.index, Some(SWITCH_BRIDGE)).await?;
        node.set_up(port.index, true).await?;
    }
    Ok(())
}
