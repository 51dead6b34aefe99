//! What the steps of a case have done to a network that is up, as far as a later step needs to know it.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::model::{End, Node, RouteChange};

/// The changes that have not been undone.
#[derive(Debug, Default)]
pub struct Changes {
    unplugged: BTreeSet<End>,
    unaddressed: BTreeSet<End>,
    /// Nodes with a wrong entry for their neighbour towards an end.
    mistaken: BTreeSet<(Node, End)>,
    /// How many new hardware addresses there have been.
    macs: u8,
    routes: BTreeMap<(Node, End), RouteChange>,
}

impl Changes {
    /// Takes into account that a host's own link goes down or comes up.
    pub fn set_plugged(&mut self, host: End, plugged: bool) {
        if plugged {
            self.unplugged.remove(&host);
        } else {
            self.unplugged.insert(host);
        }
    }

    /// Takes into account that a host's address is taken away or given back.
    pub fn set_addressed(&mut self, host: End, addressed: bool) {
        if addressed {
            self.unaddressed.remove(&host);
        } else {
            self.unaddressed.insert(host);
        }
    }

    /// Whether a host has its address.
    #[must_use]
    pub fn is_addressed(&self, host: End) -> bool {
        !self.unaddressed.contains(&host)
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

    /// Whether the links of a node are up and have their addresses, so that a route can lead over them.
    #[must_use]
    pub fn is_attached(&self, node: Node) -> bool {
        let mut detached = self.unplugged.union(&self.unaddressed);
        detached.all(|host| host.node() != node)
    }
}
