//! What the steps of a case have done to a network that is up, as far as a later step needs to know it.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::model::{End, Node, RouteChange};

/// The changes that have not been undone.
#[derive(Debug, Default)]
pub struct Changes {
    /// Links that are down, with whose they are.
    down: BTreeSet<(Node, u32)>,
    /// Machines without their address.
    unaddressed: BTreeSet<Node>,
    /// Nodes with a wrong entry for their neighbour towards an end.
    mistaken: BTreeSet<(Node, End)>,
    /// How many new hardware addresses there have been.
    macs: u8,
    routes: BTreeMap<(Node, End), RouteChange>,
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
    pub fn set_addressed(&mut self, host: End, addressed: bool) {
        if addressed {
            self.unaddressed.remove(&host.node());
        } else {
            self.unaddressed.insert(host.node());
        }
    }

    /// Whether a machine has its address.
    #[must_use]
    pub fn is_addressed(&self, node: Node) -> bool {
        !self.unaddressed.contains(&node)
    }

    /// Takes into account whether a node's entry for its neighbour towards an end is wrong.
    pub fn set_mistaken(&mut self, on: Node, to: End, mistaken: bool) {
        if mistaken {
            self.mistaken.insert((on, to));
        } else {
            self.mistaken.remove(&(on, to));
        }
    }

    /// Whether a node's entry for its neighbour towards an end is wrong.
    #[must_use]
    pub fn is_mistaken(&self, on: Node, to: End) -> bool {
        self.mistaken.contains(&(on, to))
    }

    /// A hardware address that no host has had, out of the documentation range (RFC 7042), beyond those that the network begins with.
    pub fn new_mac(&mut self) -> [u8; 6] {
        let number = 0x80 | (self.macs & 0x3f);
        self.macs = self.macs.wrapping_add(1);
        [0x00, 0x00, 0x5e, 0x00, 0x53, number]
    }

    /// Takes into account that a node's route to an end changes.
    pub fn set_route(&mut self, on: Node, to: End, change: RouteChange) {
        match change {
            RouteChange::Restore => self.routes.remove(&(on, to)),
            changed => self.routes.insert((on, to), changed),
        };
    }

    /// What a node's route to an end is: as planned ([`RouteChange::Restore`]), or what a step has made of it.
    #[must_use]
    pub fn route(&self, on: Node, to: End) -> RouteChange {
        let changed = self.routes.get(&(on, to)).copied();
        changed.unwrap_or(RouteChange::Restore)
    }

    /// Whether a link of a node is up and has its address, so that a route can lead over it.
    #[must_use]
    pub fn is_usable(&self, node: Node, link: u32) -> bool {
        !self.down.contains(&(node, link)) && self.is_addressed(node)
    }
}
