//! Compares the observation of a case with its expectations and returns a verdict. Pure functions.

mod disturbance;
mod evidence;
mod outcome;
mod probes;
mod repetition;

use std::time::Duration;

pub(crate) use repetition::{Alike, repeated};

use crate::model::{End, Expectation, Moment};
use crate::outcome::{
    ConnectionObservation, Cut, EndObservation, Mismatch, Observation, Undecided, Verdict,
};
use crate::prepare::{Prepared, WindowOrigin};
use crate::stall::stalled;
use crate::text::{plural, seconds};

/// The verdict on a case that was observed.
#[must_use]
pub fn judge(prepared: &Prepared, observation: &Observation) -> Verdict {
    // A user who sets a limit wants to know that it was reached, even if there was a disturbance.
    let limit = matches!(observation.cut_short, Some(Cut::Timeout(_)));
    let mismatches = match &observation.cut_short {
        Some(cut) => vec![cut_short(cut)],
        None => prepared
            .observed()
            .flat_map(|(name, expectation)| {
                let Some(end) = observation.ends.iter().find(|end| end.end == name) else {
                    return vec![unobserved(name, expectation)];
                };
                let judging = Judging {
                    prepared,
                    expectation,
                    observation,
                    end,
                };
                judging.mismatches()
            })
            .collect(),
    };
    if mismatches.is_empty() {
        // A case that meets its expectations passes, even if something was late.
        return match disturbance::unseen(prepared, observation) {
            None => Verdict::Passed,
            Some(unseen) => Verdict::Undecided(Undecided {
                disturbances: vec![unseen],
                mismatches,
            }),
        };
    }
    let disturbances = disturbance::disturbances(prepared, observation);
    if disturbances.is_empty() || limit {
        Verdict::Failed(mismatches)
    } else {
        Verdict::Undecided(Undecided {
            disturbances,
            mismatches,
        })
    }
}

/// The verdict on a case that exceeded its time limit and returned no observation.
#[must_use]
pub(crate) fn timed_out(limit: Duration) -> Verdict {
    Verdict::Failed(vec![overdue(limit, "the case was still running")])
}

fn cut_short(cut: &Cut) -> Mismatch {
    match cut {
        Cut::Step(broken) => Mismatch {
            end: None,
            expected: format!("step {} to succeed", broken.what),
            because: format!("line {}", broken.line),
            observed: broken.error.clone(),
        },
        Cut::Timeout(limit) => overdue(*limit, "the case was still running"),
    }
}

fn overdue(limit: Duration, observed: &str) -> Mismatch {
    Mismatch {
        end: None,
        expected: format!("a verdict within {}", seconds(limit)),
        because: "--timeout".to_owned(),
        observed: observed.to_owned(),
    }
}

fn unobserved(end: End, expectation: &Expectation) -> Mismatch {
    Mismatch {
        end: Some(end),
        expected: "to be observed".to_owned(),
        because: format!("line {}", expectation.line),
        observed: "nothing".to_owned(),
    }
}

/// The time from the origin of a window to the moment `at`, for this connection; `None` if the
/// connection has no such origin.
#[must_use]
pub(crate) fn time_from(
    origin: WindowOrigin,
    zero: Moment,
    connection: &ConnectionObservation,
    at: Moment,
) -> Option<Duration> {
    let origin = origin.moment(zero, &connection.track, &connection.writes, at)?;
    Some(at.since(origin))
}

struct Judging<'a> {
    prepared: &'a Prepared,
    expectation: &'a Expectation,
    observation: &'a Observation,
    end: &'a EndObservation,
}

impl Judging<'_> {
    fn mismatches(&self) -> Vec<Mismatch> {
        let mut found: Vec<Mismatch> = self.outcomes().into_iter().collect();
        found.extend(self.probes());
        found.extend(self.evidence());
        found.extend(self.counters());
        found.extend(self.descriptors());
        found
    }

    fn mismatch(&self, expected: String, because: String, observed: String) -> Mismatch {
        Mismatch {
            end: Some(self.end.end),
            expected,
            because,
            observed,
        }
    }

    /// The mismatch of the first connection that has one. If the end has several connections, the
    /// mismatch states how many of them failed.
    fn of_connections(
        &self,
        judge: impl Fn(&ConnectionObservation) -> Option<Mismatch>,
    ) -> Option<Mismatch> {
        let all = &self.end.connections;
        let wrong: Vec<Mismatch> = all.iter().filter_map(judge).collect();
        let count = wrong.len();
        let mut first = wrong.into_iter().next()?;
        if all.len() > 1 {
            let of = all.len();
            first.observed = format!(
                "{} ({count} of {of} connections failed; the first is shown)",
                first.observed
            );
        }
        Some(first)
    }

    /// How long the machine stood still between two moments.
    fn stalled(&self, from: Moment, until: Moment) -> Duration {
        stalled(&self.observation.stalls, from, until)
    }

    /// The line of the file that has this key, as text.
    fn line(&self, key: &str) -> String {
        format!("line {}", self.expectation.line_of(key))
    }

    /// The line of the file that states the outcome, as text.
    fn outcome_line(&self) -> String {
        self.line(self.expectation.outcome.key())
    }

    fn counters(&self) -> Vec<Mismatch> {
        let asked = self.expectation.counters.iter();
        asked
            .filter_map(|(name, range)| {
                let observed = match self.end.rise(name) {
                    Some(rise) if range.contains(rise) => return None,
                    Some(rise) => format!("it rose by {rise}"),
                    None => "this kernel has no counter of that name".to_owned(),
                };
                let expected = format!("{name} to rise by {range} on the {}", self.end.end);
                let line = self.line(&format!("counters.{name}"));
                Some(self.mismatch(expected, line, observed))
            })
            .collect()
    }

    fn descriptors(&self) -> Option<Mismatch> {
        let counted = self.end.descriptors?;
        let expected = format!("{} open again", plural(counted.before, "descriptor"));
        (counted.after != counted.before).then(|| {
            self.mismatch(
                expected,
                self.line("descriptors"),
                format!("{} still open", counted.after),
            )
        })
    }
}

#[cfg(test)]
mod tests;
