//! Repairs that came later than what is expected of a case allows for.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Moment;
use crate::oracle::timeline::STEP_TIME;
use crate::outcome::LateStep;

/// The late steps of one case; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct LateSteps(Arc<Mutex<Vec<LateStep>>>);

impl LateSteps {
    /// Takes a step into account that was due then and is done now.
    pub(super) fn done(&self, line: usize, what: String, due: Moment) {
        let late = Moment::now().since(due);
        if late > STEP_TIME {
            let step = LateStep { line, what, late };
            self.steps().push(step);
        }
    }

    pub(super) fn take(&self) -> Vec<LateStep> {
        std::mem::take(&mut *self.steps())
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<LateStep>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
