//! The kernel's tick rate (HZ), which may be unknown, and predictions that hold for every possible
//! rate.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prediction::{PredictedOutcome, Prediction};
use super::wheel::lateness;
use crate::model::{End, Hz};
use crate::scenario::Case;

/// The kernel's tick rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ticks {
    /// Exactly this rate.
    Known(Hz),
    /// Any rate that a kernel can be configured with (`kernel/Kconfig.hz`). No single rate covers
    /// all: timers are latest at the slowest rate, and rounding up to whole jiffies gives a
    /// different result at each rate.
    Unknown,
}

impl Ticks {
    /// Every rate that the kernel may have, the slowest first.
    pub(super) fn each(self) -> Vec<Hz> {
        match self {
            Self::Known(hz) => vec![hz],
            Self::Unknown => [100, 250, 300, 1000]
                .into_iter()
                .filter_map(Hz::new)
                .collect(),
        }
    }

    /// The slowest rate that the kernel may have.
    #[must_use]
    pub(crate) fn slowest(self) -> Hz {
        match self {
            Self::Known(hz) => hz,
            Self::Unknown => Hz::COARSEST,
        }
    }

    /// The largest lateness of a timer that is armed for `delay`, at any rate that the kernel may
    /// have. That is not always the lateness at the slowest rate: at a faster one the timer may lie
    /// in a coarser level of the wheel.
    #[must_use]
    pub(crate) fn lateness(self, delay: Duration) -> Duration {
        let each = self.each().into_iter();
        each.map(|hz| lateness(delay, hz)).max().unwrap_or_default()
    }
}

impl From<Hz> for Ticks {
    fn from(hz: Hz) -> Self {
        Self::Known(hz)
    }
}

/// The prediction for `end` at any rate that the kernel may have. `None` if there is no prediction,
/// or if it depends on the rate.
#[must_use]
pub(crate) fn predict(case: &Case, end: End, ticks: Ticks) -> Option<Prediction> {
    let each = ticks.each();
    let mut predictions = each
        .into_iter()
        .map(|hz| super::predict::predict(case, end, hz));
    let first = predictions.next()??;
    predictions.try_fold(first, |known, other| union(known, other?))
}

/// A prediction that holds if one of the two holds. `None` if one predicts an error and the other
/// none.
fn union(one: Prediction, other: Prediction) -> Option<Prediction> {
    let outcome = match (one.outcome, other.outcome) {
        (PredictedOutcome::Survives, PredictedOutcome::Survives) => PredictedOutcome::Survives,
        (
            PredictedOutcome::Error { errno, mut window },
            PredictedOutcome::Error {
                errno: other_errno,
                window: other,
            },
        ) => {
            window.earliest = window.earliest.min(other.earliest);
            window.latest = window.latest.max(other.latest);
            let errno = errno.filter(|_| errno == other_errno);
            PredictedOutcome::Error { errno, window }
        }
        (PredictedOutcome::Survives, PredictedOutcome::Error { .. })
        | (PredictedOutcome::Error { .. }, PredictedOutcome::Survives) => return None,
    };
    Some(Prediction {
        outcome,
        rule: one.rule,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::oracle::prediction::PredictedWindow;

    const IN_FLIGHT: &str = r#"
        summary = "data in flight to a crashed server"
        topology = { preset = "direct", family = "ipv4" }
        connection.client.user_timeout = "3s"
        step = [{ do = "exchange" }, { do = "crash", host = "server" }, { do = "send" }]
        expect.client.error = "ETIMEDOUT"
    "#;

    fn window(ticks: impl Into<Ticks>) -> PredictedWindow {
        let scenario = crate::scenario::parse(Path::new("x.toml"), IN_FLIGHT).unwrap();
        let prediction = predict(&scenario.cases[0], End::Client, ticks.into()).unwrap();
        match prediction.outcome {
            PredictedOutcome::Error { window, .. } => window,
            PredictedOutcome::Survives => panic!("it must die"),
        }
    }

    #[test]
    fn an_unknown_tick_covers_every_known_one() {
        let unknown = window(Ticks::Unknown);
        for hz in [100, 250, 300, 1000] {
            let known = window(Hz::new(hz).unwrap());
            assert!(unknown.earliest <= known.earliest, "HZ={hz}");
            assert!(unknown.latest >= known.latest, "HZ={hz}");
        }
        assert!(unknown.earliest < window(Hz::COARSEST).earliest);
    }

    #[test]
    fn an_unknown_tick_is_as_late_as_the_latest() {
        let delay = Duration::from_secs(3);
        let late = Ticks::Unknown.lateness(delay);
        assert_eq!(late, Ticks::from(Hz::new(250).unwrap()).lateness(delay));
        assert!(late > Ticks::from(Hz::COARSEST).lateness(delay));
    }

    /// The measured case that the coarsest tick alone gets wrong: 3.408 s on a kernel with HZ=250
    /// that does not show its configuration.
    #[test]
    fn a_coarse_guess_alone_would_begin_too_late() {
        let measured = Duration::from_millis(3_408);
        assert!(window(Hz::COARSEST).earliest > measured);
        assert!(window(Ticks::Unknown).earliest <= measured);
    }
}
