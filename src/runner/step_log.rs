//! The log of the steps that have been taken, for the evidence.

use std::sync::{Arc, Mutex, PoisonError};

use crate::evidence::StepTaken;
use crate::model::Moment;
use crate::step::{Step, StepKind};

/// When a step was due, when it began, and when it was done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) due: Moment,
    pub(super) from: Moment,
    pub(super) until: Moment,
}

/// The step log of one variant. Clones share one log: background tasks, such as the return of a
/// host, add to it as well.
#[derive(Debug, Clone, Default)]
pub(super) struct StepLog(Arc<Mutex<Vec<StepTaken>>>);

impl StepLog {
    /// Adds a step; `not_taken`: the reason if it was skipped.
    pub(super) fn done(&self, step: &Step, times: Times, not_taken: Option<String>) {
        let Times { due, from, until } = times;
        self.steps().push(StepTaken {
            line: step.line,
            what: step.to_string(),
            kind: step.action.kind(),
            due,
            from,
            until,
            waits_for_peer: !step.action.is_at_network(),
            not_taken,
        });
    }

    /// Adds a change by a background task after its step: the return of a host, or the next change
    /// of a cable that flaps.
    pub(super) fn followed(&self, line: usize, what: String, kind: StepKind, times: Times) {
        let Times { due, from, until } = times;
        self.steps().push(StepTaken {
            line,
            what,
            kind,
            due,
            from,
            until,
            waits_for_peer: false,
            not_taken: None,
        });
    }

    /// Removes and returns all entries.
    pub(super) fn take(&self) -> Vec<StepTaken> {
        std::mem::take(&mut *self.steps())
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<StepTaken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
