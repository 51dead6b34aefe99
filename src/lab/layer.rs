//! What a lab's machines have of one family: the same machines and links carry one or both.

use super::error::LabError;
use super::{Lab, Side};
use crate::model::{End, Family, Node};
use crate::plan::{InterfacePlan, NetworkPlan};

/// One family's part of a lab.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'l> {
    /// All of it.
    pub lab: &'l Lab,
    /// The addresses and routes of this family.
    pub plan: &'l NetworkPlan,
}

impl Lab {
    /// The layer of one family, or of each that the network carries.
    pub fn layers(&self, only: Option<Family>) -> impl Iterator<Item = Layer<'_>> {
        self.plans
            .iter()
            .filter(move |plan| only.is_none_or(|only| only == plan.family))
            .map(|plan| Layer { lab: self, plan })
    }
}

impl<'l> Layer<'l> {
    /// Which one.
    #[must_use]
    pub fn family(self) -> Family {
        self.plan.family
    }

    /// The interface of a host, with its address of this family.
    #[must_use]
    pub fn uplink(self, end: End) -> &'l InterfacePlan {
        let [position, _] = self.lab.positions(end.node(), None);
        &self.plan.nodes[position.0].interfaces[position.1]
    }

    /// Whether a link of a node is up and has its address, so that a route can lead over it.
    #[must_use]
    pub fn is_usable(self, node: Node, link: u32) -> bool {
        self.lab.changes().is_usable(self.family(), node, link)
    }

    /// Waits until the kernel announces that the interface has its carrier and that its address can be used, unless a step has taken that
    /// away.
    ///
    /// # Errors
    /// [`LabError::NotReady`].
    pub async fn wait_until_usable(self, side: Side<'_>) -> Result<(), LabError> {
        let node = side.node.node;
        let own = self.plan.node(node).into_iter();
        let mut own = own.flat_map(|plan| &plan.interfaces);
        let same = own.find(|own| own.index == side.interface.index);
        let mut interface = same.unwrap_or(side.interface).clone();
        if !self.lab.changes().is_addressed(self.family(), node) {
            interface.address = None;
        }
        side.node.wait_until_usable(&interface).await
    }
}
