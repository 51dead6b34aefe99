//! The steps that have been taken, for the evidence.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Moment;
use crate::evidence::{StepKind, StepTaken};

/// The steps of one case; clones share them, because a host returns in its own time.
#[derive(Debug, Clone, Default)]
pub(super) struct StepsTaken(Arc<Mutex<Vec<StepTaken>>>);

impl StepsTaken {
    /// Takes a step into account that is done now.
    pub(super) fn done(
        &self,
        line: usize,
        what: String,
        kind: StepKind,
        (due, from): (Moment, Moment),
    ) {
        self.steps().push(StepTaken {
            line,
            what,
            kind,
            due,
            from,
            until: Moment::now(),
        });
    }

    pub(super) fn take(&self) -> Vec<StepTaken> {
        std::mem::take(&mut *self.steps())
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<StepTaken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
