//! Steps that were taken, and when.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Moment, STEP_TIME};
use crate::step::StepKind;
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
    /// Whether it is at an end's own program or connection. Such a step may wait for the peer, as
    /// an exchange does and a close that lingers, so its length is no delay.
    pub waits_for_peer: bool,
    /// Why it was not taken, or not to its end: the connection had ended before. `None` for a step
    /// that was taken.
    pub not_taken: Option<String>,
}

/// Why what came after a step cannot be held against what is expected, which allows for
/// [`STEP_TIME`].
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
    /// Its delay, where that is more than is allowed for.
    ///
    /// What comes of a repair depends on when it is done: a probe that was to meet a whole path may
    /// meet a broken one. What breaks or sends depends on when it begins, and a fault that
    /// takes long may have let through what it was to stop. How long traffic takes is the
    /// network's business.
    pub(super) fn delay(&self) -> Option<Delay> {
        if self.not_taken.is_some() {
            return None;
        }
        let too_long = |time: Duration| (time > STEP_TIME).then_some(time);
        let begun = || too_long(self.from.since(self.due)).map(Delay::Begun);
        let done = || too_long(self.until.since(self.due)).map(Delay::Done);
        let took = || too_long(self.until.since(self.from)).map(Delay::Took);
        match self.kind {
            StepKind::Repair => done(),
            StepKind::Fault if self.waits_for_peer => begun(),
            StepKind::Fault => begun().or_else(took),
            StepKind::Traffic => begun(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MS, at};

    /// Of a step that was due 1 s after zero, begun and done so many milliseconds later.
    fn delay(kind: StepKind, from: i64, until: i64) -> Option<Delay> {
        let step = StepTaken {
            line: 1,
            what: "step".to_owned(),
            kind,
            due: at(1_000 * MS),
            from: at((1_000 + from) * MS),
            until: at((1_000 + until) * MS),
            waits_for_peer: false,
            not_taken: None,
        };
        step.delay()
    }

    const fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    #[test]
    fn a_repair_is_late_when_it_is_done_late() {
        assert_eq!(delay(StepKind::Repair, 0, 50), None);
        let late = Some(Delay::Done(ms(60)));
        assert_eq!(delay(StepKind::Repair, 0, 60), late);
        assert_eq!(delay(StepKind::Repair, 30, 60), late);
    }

    #[test]
    fn what_breaks_or_sends_is_late_when_it_begins_late() {
        assert_eq!(delay(StepKind::Traffic, 50, 5_000), None);
        assert_eq!(delay(StepKind::Fault, 50, 100), None);
        for kind in [StepKind::Traffic, StepKind::Fault] {
            assert_eq!(delay(kind, 60, 200), Some(Delay::Begun(ms(60))));
        }
        assert_eq!(delay(StepKind::Fault, 0, 60), Some(Delay::Took(ms(60))));
    }

    #[test]
    fn a_step_that_was_not_taken_is_never_late() {
        let step = StepTaken {
            line: 1,
            what: "step".to_owned(),
            kind: StepKind::Traffic,
            due: at(0),
            from: at(500 * MS),
            until: at(500 * MS),
            waits_for_peer: true,
            not_taken: Some("the connection had ended".to_owned()),
        };
        assert_eq!(step.delay(), None);
    }
}
