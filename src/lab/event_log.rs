//! The rtnetlink events of one node's network, kept as evidence.

use std::sync::{Arc, Mutex, PoisonError};

use crate::evidence::{BoundedLog, Change, Excerpt, NetworkChange};
use crate::model::{Moment, Node};

/// The number of events of one node kept from the beginning, and the same number from the end. A
/// case has some tens of events.
const KEPT: usize = 500;

/// The event log of one node. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct EventLog {
    node: Node,
    changes: Arc<Mutex<BoundedLog<NetworkChange>>>,
}

impl EventLog {
    pub(super) fn of(node: Node) -> Self {
        Self {
            node,
            changes: Arc::new(Mutex::new(BoundedLog::new(KEPT))),
        }
    }

    pub(super) fn note(&self, change: Change) {
        self.changes().push(NetworkChange {
            at: Moment::now(),
            node: self.node,
            change,
        });
    }

    pub(super) fn so_far(&self) -> Excerpt<NetworkChange> {
        self.changes().clone().finish()
    }

    fn changes(&self) -> std::sync::MutexGuard<'_, BoundedLog<NetworkChange>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
