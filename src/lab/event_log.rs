//! What has been announced of one node's network, as evidence.

use std::sync::{Arc, Mutex, PoisonError};

use crate::evidence::{BoundedLog, Change, Excerpt, NetworkChange};
use crate::model::{Moment, Node};

/// So many are kept of one node at the beginning, and as many at the end: a case sees some tens.
const KEPT: usize = 500;

/// The changes of one node's network; clones share them.
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
