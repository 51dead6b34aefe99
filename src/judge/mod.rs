//! Expectation and observation to a verdict. Pure.

mod outcome;
mod probes;

use std::time::Duration;

use crate::clock::Moment;
use crate::endpoint::Ended;
use crate::outcome::{ConnectionObservation, EndObservation, Mismatch, Observation, Verdict};
use crate::prepare::{Prepared, WindowOrigin};
use crate::scenario::model::Expectation;
use crate::text::{plural, seconds};

/// The verdict on a case that came to its end.
#[must_use]
pub fn judge(prepared: &Prepared, observation: &Observation) -> Verdict {
    let mut mismatches = Vec::new();
    if let Some(broken) = &observation.broken_step {
        mismatches.push(Mismatch {
            end: None,
            expected: format!("step {} to succeed", broken.what),
            because: format!("line {}", broken.line),
            observed: broken.error.clone(),
        });
    }
    for (name, expectation) in prepared.observed() {
        match observation.ends.iter().find(|end| end.end == name) {
            Some(end) => {
                let judging = Judging {
                    prepared,
                    expectation,
                    observation,
                    end,
                };
                mismatches.extend(judging.mismatches());
            }
            // A step that breaks ends the case before anything is observed.
            None if observation.broken_step.is_some() => {}
            None => mismatches.push(Mismatch {
                end: Some(name),
                expected: "to be observed".to_owned(),
                because: format!("line {}", expectation.line),
                observed: "nothing".to_owned(),
            }),
        }
    }
    if mismatches.is_empty() {
        Verdict::Passed
    } else {
        Verdict::Failed(mismatches)
    }
}

/// The verdict on a case that was ended because it took too long.
#[must_use]
pub fn timed_out(limit: Duration) -> Verdict {
    Verdict::Failed(vec![Mismatch {
        end: None,
        expected: format!("a verdict within {}", seconds(limit)),
        because: "--timeout".to_owned(),
        observed: "the case was still running".to_owned(),
    }])
}

/// The time from a window's origin to the moment, for this connection.
#[must_use]
pub fn time_from(
    origin: WindowOrigin,
    zero: Moment,
    connection: &ConnectionObservation,
    at: Moment,
) -> Duration {
    at.since(origin.moment(zero, &connection.track, at))
}

struct Judging<'a> {
    prepared: &'a Prepared,
    expectation: &'a Expectation,
    observation: &'a Observation,
    end: &'a EndObservation,
}

impl Judging<'_> {
    fn mismatches(&self) -> Vec<Mismatch> {
        let mut found = self.outcomes();
        found.extend(self.probes());
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

/// How a person names an end of a connection.
#[must_use]
pub fn name(ended: Ended) -> String {
    match ended {
        Ended::Error(errno) => errno.to_string(),
        Ended::EndOfFile => "end of file".to_owned(),
    }
}

/// How a person names the zero of a window.
#[must_use]
pub fn origin_name(origin: WindowOrigin) -> &'static str {
    match origin {
        WindowOrigin::Fault => "the fault",
        WindowOrigin::LastReceived => "the last segment received",
        WindowOrigin::FirstUnacknowledged => "the unacknowledged data was sent",
        WindowOrigin::Activity => "the last activity",
    }
}

#[cfg(test)]
mod tests;
