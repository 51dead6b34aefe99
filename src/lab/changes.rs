//! What the steps of a case have done to a network that is up, as far as a later step needs to know it.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::model::{End, Node, RouteChange};

/// The changes that have not been undone.
#[derive(Debug, Default)]
pub struct Changes {
    /// Links that are down, with whose they are.
    down: BTreeSet<(Node, u32)>,
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

    /// Whether a link of a node is up, so that a route can lead over it.
    #[must_use]
    pub fn is_up(&self, node: Node, link: u32) -> bool {
        !self.down.contains(&(node, link))
    }
}
