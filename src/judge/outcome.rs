//! How and when each connection ended, against what the file and the oracle say.

use std::time::Duration;

use super::{Judging, name, origin_name, time_from};
use crate::endpoint::Ended;
use crate::errno::ErrnoName;
use crate::outcome::{ConnectionObservation, Mismatch};
use crate::prepare::{ALLOWANCE, Window};
use crate::scenario::model::ExpectedOutcome;
use crate::text::seconds;

impl Judging<'_> {
    /// The first mismatch, with the number of connections that have one where there are several.
    pub(super) fn outcomes(&self) -> Vec<Mismatch> {
        if self.end.connections.is_empty() {
            let expected = "a connection to observe".to_owned();
            return vec![self.mismatch(
                expected,
                self.line(),
                format!("the {} has lost all of them", self.end.end),
            )];
        }
        let wrong: Vec<Mismatch> = self
            .end
            .connections
            .iter()
            .filter_map(|connection| self.outcome(connection))
            .collect();
        let count = wrong.len();
        let Some(mut first) = wrong.into_iter().next() else {
            return Vec::new();
        };
        if self.end.connections.len() > 1 {
            let of = self.end.connections.len();
            first.observed = format!(
                "{} (so or otherwise wrong on {count} of {of} connections)",
                first.observed
            );
        }
        vec![first]
    }

    fn outcome(&self, connection: &ConnectionObservation) -> Option<Mismatch> {
        match self.expectation.outcome {
            ExpectedOutcome::Survives(time) => self.survival(connection, time),
            ExpectedOutcome::Error(errno) => self.error(connection, errno),
        }
    }

    fn survival(&self, connection: &ConnectionObservation, time: Duration) -> Option<Mismatch> {
        let expected = format!("to survive for {} and then to exchange data", seconds(time));
        if let Some((ended, at)) = connection.ended {
            let after = seconds(at.since(self.observation.zero));
            return Some(self.mismatch(
                expected,
                self.line(),
                format!("{} {after} after the fault", name(ended)),
            ));
        }
        let observed = match &connection.further_exchange {
            Some(Ok(())) => return None,
            Some(Err(error)) => format!("the exchange at the end failed: {error}"),
            None => "another connection ended, so no exchange was tried".to_owned(),
        };
        Some(self.mismatch(expected, self.line(), observed))
    }

    fn error(&self, connection: &ConnectionObservation, errno: ErrnoName) -> Option<Mismatch> {
        let Some((ended, at)) = connection.ended else {
            let watched = self.end.watched_until.since(self.observation.zero);
            let observed = format!("no error: still open {} after the fault", seconds(watched));
            return Some(self.mismatch(errno.to_string(), self.line(), observed));
        };
        if ended != Ended::Error(errno) {
            let after = seconds(at.since(self.observation.zero));
            let observed = format!("{} {after} after the fault", name(ended));
            return Some(self.mismatch(errno.to_string(), self.line(), observed));
        }
        let window = self.prepared.window(self.end.end)?;
        self.timing(
            &window,
            time_from(window.from, self.observation.zero, connection, at),
            errno,
        )
    }

    /// The lower end is exact; the upper end allows for the machine.
    fn timing(&self, window: &Window, time: Duration, errno: ErrnoName) -> Option<Mismatch> {
        let latest = window.latest + ALLOWANCE + self.end.stall;
        let off = if time < window.earliest {
            format!("{} too early", at_least(window.earliest - time))
        } else if time > latest {
            let beyond = at_least(time - window.latest);
            let allowed = seconds(latest - window.latest);
            format!("{beyond} too late, of which the machine may take {allowed}")
        } else {
            return None;
        };
        let origin = origin_name(window.from);
        let expected = format!(
            "{errno} {}..{} after {origin}",
            seconds(window.earliest),
            seconds(window.latest)
        );
        let because = match self.prepared.prediction(self.end.end) {
            Some(prediction) if self.expectation.within.is_none() => {
                format!(
                    "{}, by the oracle's rule: {}",
                    window.formula, prediction.rule
                )
            }
            _ => window.formula.clone(),
        };
        Some(self.mismatch(
            expected,
            because,
            format!("{errno} after {}: {off}", seconds(time)),
        ))
    }
}

/// A difference of less than a millisecond is a difference all the same.
fn at_least(time: Duration) -> String {
    if time < Duration::from_millis(1) {
        "less than 0.001s".to_owned()
    } else {
        seconds(time)
    }
}
