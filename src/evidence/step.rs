//! The steps of a case, with their times.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Moment, STEP_TIME};
use crate::step::StepKind;
use crate::text::seconds;

/// A step, with its times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepTaken {
    /// The line of the step in the scenario file.
    pub(crate) line: usize,
    /// The description of the step: `crash server`, `return of server`.
    pub what: String,
    /// The purpose of the step.
    pub(crate) kind: StepKind,
    /// When the step was due.
    pub due: Moment,
    /// When the step began.
    pub from: Moment,
    /// When the step was completed.
    pub until: Moment,
    /// Whether the step acts on an end's own program or connection. Such a step may wait for the
    /// peer, as an exchange does, or a close with linger. Its duration is therefore not a delay.
    pub(crate) waits_for_peer: bool,
    /// The reason why the step was not taken or not completed: the connection had ended before.
    /// `None` for a step that was taken.
    pub(crate) not_taken: Option<String>,
}

/// A delay of a step that is larger than [`STEP_TIME`], which is what the expectations allow for.
/// After such a delay, a failed expectation does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delay {
    /// The time from when the step was due to when it began.
    Begun(Duration),
    /// The time from when the step was due to when it was completed.
    Done(Duration),
    /// The duration of the step.
    Took(Duration),
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun(late) => write!(f, "started {} late", seconds(*late)),
            Self::Done(late) => write!(f, "was completed {} late", seconds(*late)),
            Self::Took(long) => write!(f, "took {}", seconds(*long)),
        }
    }
}

impl StepTaken {
    /// Returns the delay of the step if it is larger than [`STEP_TIME`].
    ///
    /// The effect of a repair depends on when it is completed: if it is late, a probe can meet a
    /// path that is still broken. The effect of a fault or of traffic depends on when it begins. In
    /// addition, a fault that takes long may have let packets pass that it should have stopped. The
    /// duration of traffic depends on the network and is not a delay.
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

    /// Returns the delay of a step that was due 1 s after zero, and that began and was completed
    /// this many milliseconds later.
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
    fn a_repair_is_late_when_it_is_completed_late() {
        assert_eq!(delay(StepKind::Repair, 0, 50), None);
        let late = Some(Delay::Done(ms(60)));
        assert_eq!(delay(StepKind::Repair, 0, 60), late);
        assert_eq!(delay(StepKind::Repair, 30, 60), late);
    }

    #[test]
    fn a_fault_or_traffic_is_late_when_it_begins_late() {
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
