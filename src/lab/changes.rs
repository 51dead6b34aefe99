//! What the steps of a case have done to a network that is up, as far as a later step needs to know it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{End, Family, Node};
use crate::step::RouteChange;

/// The changes that have not been undone.
#[derive(Debug, Default)]
pub struct Changes {
    /// Links that are down, with whose they are.
    down: BTreeSet<(Node, u32)>,
    /// Machines without their address of a family.
    unaddressed: BTreeSet<(Family, Node)>,
    /// Nodes with a wrong entry for their neighbour towards an end.
    mistaken: BTreeSet<(Family, Node, End)>,
    /// How many new hardware addresses there have been.
    macs: u8,
    routes: BTreeMap<(Family, Node, End), RouteChange>,
}

impl Changes {
    /// Takes into account that a node's own link goes down or comes up.
    pub fn set_up(&mut self, node: Node, link: u32, up: bool) {
        if up {
            self.down.remove(&(node, link));
        } else {
            self.down.insert((node, link));
        }
    }

    /// Takes into account that a host's address is taken away or given back.
    pub fn set_addressed(&mut self, family: Family, host: End, addressed: bool) {
        let own = (family, host.node());
        if addressed {
            self.unaddressed.remove(&own);
        } else {
            self.unaddressed.insert(own);
        }
    }

    /// Whether a machine has its address.
    #[must_use]
    pub fn is_addressed(&self, family: Family, node: Node) -> bool {
        !self.unaddressed.contains(&(family, node))
    }

    /// Takes into account whether a node's entry for its neighbour towards an end is wrong.
    pub fn set_mistaken(&mut self, entry: (Family, Node, End), mistaken: bool) {
        if mistaken {
            self.mistaken.insert(entry);
        } else {
            self.mistaken.remove(&entry);
        }
    }

    /// Whether a node's entry for its neighbour towards an end is wrong.
    #[must_use]
    pub fn is_mistaken(&self, entry: (Family, Node, End)) -> bool {
        self.mistaken.contains(&entry)
    }

    /// A hardware address that no host has had, out of the documentation range (RFC 7042), beyond those that the network begins with.
    pub fn new_mac(&mut self) -> [u8; 6] {
        let number = 0x80 | (self.macs & 0x3f);
        self.macs = self.macs.wrapping_add(1);
        [0x00, 0x00, 0x5e, 0x00, 0x53, number]
    }

    /// Takes into account that a node's route to an end changes.
    pub fn set_route(&mut self, route: (Family, Node, End), change: RouteChange) {
        match change {
            RouteChange::Restore => self.routes.remove(&route),
            changed => self.routes.insert(route, changed),
        };
    }

    /// What a node's route to an end is: as planned ([`RouteChange::Restore`]), or what a step has made of it.
    #[must_use]
    pub fn route(&self, route: (Family, Node, End)) -> RouteChange {
        let changed = self.routes.get(&route).copied();
        changed.unwrap_or(RouteChange::Restore)
    }

    /// Whether a link of a node is up and has its address, so that a route can lead over it.
    #[must_use]
    pub fn is_usable(&self, family: Family, node: Node, link: u32) -> bool {
        !self.down.contains(&(node, link)) && self.is_addressed(family, node)
    }
}
