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

use self::changes::Changes;
use self::error::LabError;
use self::node::LabNode;
use crate::plan::{InterfacePlan, NetworkPlan};
use crate::scenario::model::{Connection, End, Node};

/// The loopback's index in every namespace.
const LOOPBACK: u32 = 1;
/// The index of the switch's bridge: after its ports.
const SWITCH_BRIDGE: u32 = 10;

/// A network that is up.
#[derive(Debug)]
pub struct Lab {
    /// What it was built from.
    pub plan: NetworkPlan,
    nodes: Vec<LabNode>,
    changes: Mutex<Changes>,
}

impl Lab {
    /// Builds the network and waits until every link and address is usable.
    ///
    /// # Errors
    /// [`LabError`]: what could not be done, in which namespace, and the kernel's answer.
    pub async fn build(plan: NetworkPlan, connection: &Connection) -> Result<Self, LabError> {
        let nodes = try_join_all(plan.nodes.iter().map(|node| {
            let settings = match node.node {
                Node::Client => sysctl::of_end(&connection.client),
                Node::Server => sysctl::of_end(&connection.server),
                Node::Switch | Node::Router => Vec::new(),
            };
            LabNode::create(node.node, plan.family, settings)
        }))
        .await?;
        // Before any link, so that no packet passes it unseen.
        for (node, plan) in nodes.iter().zip(&plan.nodes) {
            if let Some(firewall) = plan.firewall {
                let outside = plan.interfaces.last().map(|interface| interface.index);
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
            near.add_veth(lab.interface(link.near), far, lab.interface(link.far))
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
        if plan.node == Node::Switch {
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

    /// All machines, from the client to the server.
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

    /// What is at the other side of one end's cable: the node, and its interface.
    #[must_use]
    pub fn neighbour(&self, end: End) -> (&LabNode, &InterfacePlan) {
        let side = match end {
            End::Client => self.plan.links[0].far,
            End::Server => self.plan.links[self.plan.links.len() - 1].near,
        };
        (&self.nodes[side.0], self.interface(side))
    }
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
