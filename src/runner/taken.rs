//! The steps that have been taken, for the evidence.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Moment;
use crate::evidence::{StepKind, StepTaken};

/// When a step was due, when it began, and when it was done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) due: Moment,
    pub(super) from: Moment,
    pub(super) until: Moment,
}

/// The steps of one strand; clones share them, because a host returns in its own time.
#[derive(Debug, Clone, Default)]
pub(super) struct StepsTaken(Arc<Mutex<Vec<StepTaken>>>);

impl StepsTaken {
    /// Takes a step into account.
    pub(super) fn done(&self, line: usize, what: String, kind: StepKind, times: Times) {
        let Times { due, from, until } = times;
        self.steps().push(StepTaken {
            line,
            what,
            kind,
            due,
            from,
            until,
        });
    }

    pub(super) fn take(&self) -> Vec<StepTaken> {
        std::mem::take(&mut *self.steps())
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<StepTaken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
