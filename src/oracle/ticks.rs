//! What is known of the kernel's tick, and a prediction that holds for all of it.

use super::prediction::{PredictedOutcome, Prediction};
use super::wheel::Hz;
use crate::scenario::model::{Case, End};

/// The kernel's tick, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks {
    /// No slower than this: timers are latest.
    pub slowest: Hz,
    /// No faster than this: what the kernel rounds up to whole jiffies is shortest.
    pub fastest: Hz,
}

impl Ticks {
    /// Every tick that Linux can be built with on the machines that distributions build it for (`kernel/Kconfig.hz`: 100 to 1000).
    pub const UNKNOWN: Self = Self {
        slowest: Hz::COARSEST,
        fastest: Hz::FINEST,
    };
}

impl From<Hz> for Ticks {
    fn from(hz: Hz) -> Self {
        Self {
            slowest: hz,
            fastest: hz,
        }
    }
}

/// What `end` will see, whichever tick the kernel has; `None` where that is not settled, or depends on the tick.
#[must_use]
pub fn predict(case: &Case, end: End, ticks: Ticks) -> Option<Prediction> {
    let slow = super::predict::predict(case, end, ticks.slowest)?;
    let fast = super::predict::predict(case, end, ticks.fastest)?;
    let outcome = match (slow.outcome, fast.outcome) {
        (PredictedOutcome::Survives, PredictedOutcome::Survives) => PredictedOutcome::Survives,
        (
            PredictedOutcome::Error {
                errno: slow_errno,
                window: slow,
            },
            PredictedOutcome::Error {
                errno: fast_errno,
                window: fast,
            },
        ) => {
            let mut window = slow;
            window.earliest = window.earliest.min(fast.earliest);
            window.latest = window.latest.max(fast.latest);
            PredictedOutcome::Error {
                errno: slow_errno.filter(|_| slow_errno == fast_errno),
                window,
            }
        }
        (PredictedOutcome::Survives, PredictedOutcome::Error { .. })
        | (PredictedOutcome::Error { .. }, PredictedOutcome::Survives) => return None,
    };
    Some(Prediction {
        outcome,
        rule: slow.rule,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

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
        let unknown = window(Ticks::UNKNOWN);
        for hz in [100, 250, 300, 1000] {
            let known = window(Hz::new(hz).unwrap());
            assert!(unknown.earliest <= known.earliest, "HZ={hz}");
            assert!(unknown.latest >= known.latest, "HZ={hz}");
        }
        assert!(unknown.earliest < window(Hz::COARSEST).earliest);
    }

    /// The measured case that the coarsest tick alone gets wrong: 3.408 s on a kernel with HZ=250 that does not show its
    /// configuration.
    #[test]
    fn a_coarse_guess_alone_would_begin_too_late() {
        let measured = Duration::from_millis(3_408);
        assert!(window(Hz::COARSEST).earliest > measured);
        assert!(window(Ticks::UNKNOWN).earliest <= measured);
    }
}
