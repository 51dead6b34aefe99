//! Steps that were taken, and when.

use std::fmt;
use std::time::Duration;

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

/// Why what came after a step cannot be held against what is expected, which allows for [`STEP_TIME`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// It began so much later than it was due.
    Begun(Duration),
    /// It was done so much later than it was due.
    Done(Duration),
    /// It took so long.
    Took(Duration),
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun(late) => write!(f, "was begun {} late", seconds(*late)),
            Self::Done(late) => write!(f, "was done {} late", seconds(*late)),
            Self::Took(long) => write!(f, "took {}", seconds(*long)),
        }
    }
}

impl StepTaken {
    /// Its delay, if that matters where all times count from `zero`, the beginning of the first fault.
    ///
    /// What comes of a repair depends on when it is done: a probe that was to meet a whole path may meet a broken one. What breaks or sends
    /// depends on when it begins, but for the first fault and what came before. A fault that takes long breaks late what is broken by then.
    pub(super) fn delay(&self, zero: Option<Moment>) -> Option<Delay> {
        let over = |time: Duration| (time > STEP_TIME).then_some(time);
        let is_later = zero.is_some_and(|zero| self.from > zero);
        match self.kind {
            StepKind::Repair => over(self.until.since(self.due)).map(Delay::Done),
            StepKind::Fault | StepKind::Traffic if is_later => {
                over(self.from.since(self.due)).map(Delay::Begun)
            }
            StepKind::Fault | StepKind::Traffic => None,
        }
        .or_else(|| {
            let is_fault = self.kind == StepKind::Fault;
            let long = is_fault.then(|| self.until.since(self.from));
            long.and_then(over).map(Delay::Took)
        })
    }
}
