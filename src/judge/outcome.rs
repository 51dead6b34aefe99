//! Compares how and when each connection ended with the expectations of the file and the prediction
//! of the oracle.

use std::time::Duration;

use super::{Judging, time_from};
use crate::model::{ALLOWANCE, Ended, ExpectedOutcome, Moment};
use crate::outcome::{ConnectionObservation, Mismatch};
use crate::prepare::{Window, WindowOrigin};
use crate::text::seconds;

impl Judging<'_> {
    /// The first mismatch, if there is one.
    pub(super) fn outcomes(&self) -> Option<Mismatch> {
        if self.end.connections.is_empty() {
            let expected = "a connection to observe".to_owned();
            let observed = format!("the {} has no connection left", self.end.end);
            return Some(self.mismatch(expected, self.outcome_line(), observed));
        }
        self.of_connections(|connection| self.outcome(connection))
    }

    fn outcome(&self, connection: &ConnectionObservation) -> Option<Mismatch> {
        if connection.unaccepted {
            return self.unaccepted();
        }
        match self.expectation.outcome {
            ExpectedOutcome::Survives(time) => self.survival(connection, time),
            ExpectedOutcome::Open(time) => self.openness(connection, time),
            ExpectedOutcome::Error(errno) => self.ending(connection, Ended::Error(errno)),
            ExpectedOutcome::EndOfFile => self.ending(connection, Ended::EndOfFile),
        }
    }

    /// The mismatch of a connection that the server has not accepted. Such a connection is open, so
    /// it meets only the outcome `open`.
    fn unaccepted(&self) -> Option<Mismatch> {
        let expected = match self.expectation.outcome {
            ExpectedOutcome::Open(_) => return None,
            ExpectedOutcome::Survives(time) => surviving(time),
            ExpectedOutcome::Error(errno) => errno.to_string(),
            ExpectedOutcome::EndOfFile => Ended::EndOfFile.to_string(),
        };
        let observed = format!("the {} has accepted no such connection", self.end.end);
        Some(self.mismatch(expected, self.outcome_line(), observed))
    }

    fn survival(&self, connection: &ConnectionObservation, time: Duration) -> Option<Mismatch> {
        let expected = surviving(time);
        if let Some((ended, at)) = connection.told() {
            let after = seconds(at.since(self.observation.zero));
            return Some(self.mismatch(
                expected,
                self.outcome_line(),
                format!("{ended} {after} after the fault"),
            ));
        }
        let observed = match &connection.further_exchange {
            Some(Ok(())) => return None,
            Some(Err(error)) => format!("the exchange at the end failed: {error}"),
            None => {
                "the other end's connection has ended, so no exchange could be tried".to_owned()
            }
        };
        Some(self.mismatch(expected, self.outcome_line(), observed))
    }

    fn openness(&self, connection: &ConnectionObservation, time: Duration) -> Option<Mismatch> {
        let (ended, at) = connection.told()?;
        // The watch may have ended later than its time.
        if at > self.observation.zero + time {
            return None;
        }
        let expected = format!("to be open for {}", seconds(time));
        let after = seconds(at.since(self.observation.zero));
        let observed = format!("{ended} {after} after the fault");
        Some(self.mismatch(expected, self.outcome_line(), observed))
    }

    fn ending(&self, connection: &ConnectionObservation, expected: Ended) -> Option<Mismatch> {
        let Some((ended, at)) = connection.told() else {
            let watched = self.end.watched_until.since(self.observation.zero);
            let observed = format!("no error: still open {} after the fault", seconds(watched));
            return Some(self.mismatch(expected.to_string(), self.outcome_line(), observed));
        };
        if ended != expected {
            let after = seconds(at.since(self.observation.zero));
            let observed = format!("{ended} {after} after the fault");
            return Some(self.mismatch(expected.to_string(), self.outcome_line(), observed));
        }
        let window = self.prepared.window(self.end.end)?;
        let zero = self.observation.zero;
        if window.from == WindowOrigin::Fault && at < zero {
            let observed = format!("{ended} {} before the fault", seconds(zero.since(at)));
            let (expected, because) = self.expected_window(&window, ended);
            return Some(self.mismatch(expected, because, observed));
        }
        match time_from(window.from, zero, connection, at) {
            Some(time) => self.timing(&window, time, at, ended),
            None => {
                let after = seconds(at.since(zero));
                let observed = format!(
                    "{ended} {after} after the fault; no captured frame shows when {}",
                    window.from
                );
                let (expected, because) = self.expected_window(&window, ended);
                Some(self.mismatch(expected, because, observed))
            }
        }
    }

    /// Compares the time with the window. The earliest time is exact. The latest time is extended
    /// by the allowance for the scheduler and the measured stalls of the machine.
    fn timing(
        &self,
        window: &Window,
        time: Duration,
        at: Moment,
        ended: Ended,
    ) -> Option<Mismatch> {
        let allowed = ALLOWANCE + self.stalled(at.before(time), at);
        let off = if time < window.earliest {
            format!("{} too early", at_least(window.earliest - time))
        } else if time > window.latest + allowed {
            let beyond = at_least(time - window.latest);
            let allowed = seconds(allowed);
            format!("{beyond} too late (tolerance {allowed})")
        } else {
            return None;
        };
        let (expected, because) = self.expected_window(window, ended);
        let observed = format!("{ended} after {}: {off}", seconds(time));
        Some(self.mismatch(expected, because, observed))
    }

    /// The expected error with its window as text, and the origin of the window: the file or a rule
    /// of the oracle.
    fn expected_window(&self, window: &Window, ended: Ended) -> (String, String) {
        let expected = format!(
            "{ended} {}..{} after {}",
            seconds(window.earliest),
            seconds(window.latest),
            window.from
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
        (expected, because)
    }
}

fn surviving(time: Duration) -> String {
    format!("to survive for {} and then to exchange data", seconds(time))
}

/// The time in seconds. A time of less than a millisecond is not shown as zero.
fn at_least(time: Duration) -> String {
    if time < Duration::from_millis(1) {
        "less than 0.001s".to_owned()
    } else {
        seconds(time)
    }
}
