//! Steps that were taken, and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::oracle::timeline::STEP_TIME;
use crate::text::seconds;

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
    /// Why what came after it cannot be held against what is expected, which allows for [`STEP_TIME`].
    ///
    /// What comes of a repair depends on when it is done: a probe that was to meet a whole path may meet a broken one. A fault may begin
    /// at any time, because all counts from its beginning; but a probe that is answered before it is done was not to be answered.
    #[must_use]
    pub fn delay(&self) -> Option<String> {
        let (late, long) = (self.until.since(self.due), self.until.since(self.from));
        match self.kind {
            StepKind::Repair if late > STEP_TIME => {
                Some(format!("was done {} late", seconds(late)))
            }
            StepKind::Fault if long > STEP_TIME => Some(format!("took {}", seconds(long))),
            _ => None,
        }
    }
}
