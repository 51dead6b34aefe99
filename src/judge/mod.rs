//! Expectation and observation to a verdict. Pure.

mod evidence;
mod outcome;
mod probes;
mod repetition;

use std::time::Duration;

pub use repetition::{Alike, repeated};

use crate::clock::Moment;
use crate::evidence::{Delay, StepTaken};
use crate::oracle::timeline::STEP_TIME;
use crate::outcome::{ConnectionObservation, Cut, EndObservation, Mismatch, Observation, Verdict};
use crate::prepare::{Prepared, WindowOrigin};
use crate::scenario::model::{End, Expectation};
use crate::stall::stalled;
use crate::text::{plural, seconds};

/// The verdict on a case that was observed.
#[must_use]
pub fn judge(prepared: &Prepared, observation: &Observation) -> Verdict {
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
    let delay = (observation.evidence.delays(observation.zero))
        .find(|(step, delay)| matters(step, *delay, observation));
    match (mismatches.is_empty(), delay) {
        // What came as expected although a step was late came as expected.
        (true, _) => Verdict::Passed,
        (false, Some((step, delay))) if follows_from_time(observation) => {
            Verdict::Error(too_busy(step, delay, &mismatches))
        }
        (false, _) => Verdict::Failed(mismatches),
    }
}

/// A fault that took long has changed what is expected only where a probe was answered before it was done.
fn matters(step: &StepTaken, delay: Delay, observation: &Observation) -> bool {
    let during = |at: Moment| step.from <= at && at <= step.until;
    let mut connections = (observation.ends.iter()).flat_map(|end| &end.connections);
    !matches!(delay, Delay::Took(_))
        || connections.any(|connection| {
            let mut answers = (connection.track.probes.iter()).filter_map(|probe| probe.answered);
            answers.any(during)
        })
}

/// Whether what was observed may have come of a step's time: not that a step was broken off, nor that a host lost its connections.
fn follows_from_time(observation: &Observation) -> bool {
    let lost = |end: &EndObservation| end.connections.is_empty();
    observation.cut_short.is_none() && !observation.ends.iter().any(lost)
}

/// What did not come as expected followed from a step's time, and the step came later.
fn too_busy(step: &StepTaken, delay: Delay, mismatches: &[Mismatch]) -> String {
    let observed = mismatches.first().map_or("", |mismatch| &mismatch.observed);
    format!(
        "no verdict: {} (line {}) {delay}, and what is expected allows for {}; observed {observed}\n  \
         help: the machine is too busy: run fewer cases at once (-j)",
        step.what,
        step.line,
        seconds(STEP_TIME)
    )
}

/// The verdict on a case that took too long, and cannot say what it saw.
#[must_use]
pub fn timed_out(limit: Duration) -> Verdict {
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

/// The time from a window's origin to the moment, for this connection; `None` where there was no such origin.
#[must_use]
pub fn time_from(
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

    /// The first mismatch of the first connection that has one, with the number of connections that have one where there are several.
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
                "{} (so or otherwise wrong on {count} of {of} connections)",
                first.observed
            );
        }
        Some(first)
    }

    /// How long the machine stood still between two moments.
    fn stalled(&self, from: Moment, until: Moment) -> Duration {
        stalled(&self.observation.stalls, from, until)
    }

    fn line(&self) -> String {
        format!("line {}", self.expectation.line)
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
                Some(self.mismatch(expected, self.line(), observed))
            })
            .collect()
    }

    fn descriptors(&self) -> Option<Mismatch> {
        let counted = self.end.descriptors?;
        let expected = format!("{} open again", plural(counted.before, "descriptor"));
        (counted.after != counted.before).then(|| {
            self.mismatch(
                expected,
                self.line(),
                format!("{} still open", counted.after),
            )
        })
    }
}

#[cfg(test)]
mod tests;
