//! Steps that were taken, and when.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::oracle::timeline::STEP_TIME;

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepTaken {
    /// Its line in the file.
    pub line: usize,
    /// What it was: `crash server`, `return of server`.
    pub what: String,
    /// What it is for.
    pub kind: StepKind,
    /// When it was due.
    pub due: Moment,
    /// When it began.
    pub from: Moment,
    /// When it was done.
    pub until: Moment,
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// It breaks something.
    Fault,
    /// It mends something.
    Repair,
    /// It sends data.
    Traffic,
}

impl StepTaken {
    /// From when it was due to when it was done.
    #[must_use]
    pub fn late(&self) -> Duration {
        self.until.since(self.due)
    }

    /// What comes of a fault counts from what the end received before it. What comes of a repair depends on when it is done: a probe
    /// that was to meet a whole path may meet a broken one.
    pub(super) fn is_late_repair(&self) -> bool {
        self.kind == StepKind::Repair && self.late() > STEP_TIME
    }
}
