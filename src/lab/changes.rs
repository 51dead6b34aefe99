//! What the steps of a case have done to a network that is up, as far as a later step needs to know it.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::model::{End, Node, RouteChange};

/// The changes that have not been undone.
#[derive(Debug, Default)]
pub struct Changes {
    unplugged: BTreeSet<End>,
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

    /// Whether the links of a node are up, so that a route can lead over them.
    #[must_use]
    pub fn is_plugged(&self, node: Node) -> bool {
        self.unplugged.iter().all(|host| host.node() != node)
    }
}
