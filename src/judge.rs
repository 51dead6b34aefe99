//! Expectation and observation to a verdict. Pure.

use std::time::Duration;

use crate::clock::Moment;
use crate::endpoint::Ended;
use crate::errno::ErrnoName;
use crate::oracle::keepalive::EffectiveKeepalive;
use crate::outcome::{ConnectionObservation, EndObservation, Mismatch, Observation, Verdict};
use crate::prepare::{ALLOWANCE, Prepared, Window, WindowOrigin};
use crate::scenario::model::{Expectation, ExpectedOutcome};
use crate::text::{plural, seconds};
use crate::wire::Probe;

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
    for end in &observation.ends {
        if let Some(expectation) = prepared.case.expect.end(end.end) {
            let judging = Judging {
                prepared,
                expectation,
                observation,
                end,
            };
            mismatches.extend(judging.mismatches());
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
    let received = connection.track.last_received_before(at).unwrap_or(zero);
    let origin = match origin {
        WindowOrigin::Fault => zero,
        WindowOrigin::LastReceived => received,
        WindowOrigin::FirstUnacknowledged | WindowOrigin::Activity => {
            connection.track.first_unacknowledged().unwrap_or(received)
        }
    };
    at.since(origin)
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

    /// Each distinct mismatch once, with the number of connections that it concerns where there are several.
    fn outcomes(&self) -> Vec<Mismatch> {
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
            format!("{} too early", seconds(window.earliest - time))
        } else if time > latest {
            format!("{} too late", seconds(time - latest))
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

    fn probes(&self) -> Vec<Mismatch> {
        self.end
            .connections
            .iter()
            .find_map(|connection| {
                let found = self.probes_of(connection);
                (!found.is_empty()).then_some(found)
            })
            .unwrap_or_default()
    }

    fn probes_of(&self, connection: &ConnectionObservation) -> Vec<Mismatch> {
        let zero = self.observation.zero;
        let asked = &self.expectation.probes;
        let probes: Vec<&Probe> = connection
            .track
            .probes
            .iter()
            .filter(|probe| probe.sent >= zero)
            .collect();
        let answered = probes
            .iter()
            .filter(|probe| probe.answered.is_some())
            .count();
        let counts = [
            ("sent", asked.sent, probes.len()),
            ("answered", asked.answered, answered),
        ];
        let mut found: Vec<Mismatch> = counts
            .into_iter()
            .filter_map(|(what, range, count)| {
                Some((
                    what,
                    range.filter(|range| !range.contains(count as u64))?,
                    count,
                ))
            })
            .map(|(what, range, count)| {
                let times: Vec<String> = probes
                    .iter()
                    .map(|probe| seconds(probe.sent.since(zero)))
                    .collect();
                let at = if times.is_empty() {
                    String::new()
                } else {
                    format!(", sent at {}", times.join(", "))
                };
                self.mismatch(
                    format!("{range} probes {what} on the wire"),
                    self.line(),
                    format!("{count}{at}"),
                )
            })
            .collect();
        let settings = self.prepared.case.connection.end(self.end.end);
        let Some(keepalive) = settings.keepalive.map(EffectiveKeepalive::new) else {
            return found;
        };
        for (position, due) in asked.at.iter().enumerate() {
            found.extend(self.probe_time(
                connection,
                probes.get(position).copied(),
                position,
                *due,
                &keepalive,
            ));
        }
        found
    }

    /// A probe is due so long after the last activity before zero time; the kernel compares whole jiffies, and each restart of the
    /// timer may be late by what its wheel allows.
    fn probe_time(
        &self,
        connection: &ConnectionObservation,
        probe: Option<&Probe>,
        position: usize,
        due: Duration,
        keepalive: &EffectiveKeepalive,
    ) -> Option<Mismatch> {
        let hz = self.prepared.hz;
        let zero = self.observation.zero;
        let restarts = u32::try_from(position + 1).unwrap_or(u32::MAX);
        let late = crate::oracle::wheel::lateness(keepalive.idle.max(keepalive.interval), hz)
            * restarts
            + ALLOWANCE;
        let lead =
            zero.since(connection.track.last_received_before(zero).unwrap_or(zero)) + hz.jiffy();
        let expected = format!(
            "probe {} sent {} after the fault",
            position + 1,
            seconds(due)
        );
        let Some(probe) = probe else {
            return Some(self.mismatch(expected, self.line(), "no such probe".to_owned()));
        };
        let time = probe.sent.since(zero);
        if time + lead >= due && time <= due + late + self.end.stall {
            return None;
        }
        let allowed = format!("{expected}, at most {} late", seconds(late));
        Some(self.mismatch(
            allowed,
            self.line(),
            format!("sent after {}", seconds(time)),
        ))
    }

    fn counters(&self) -> Vec<Mismatch> {
        let asked = self.expectation.counters.iter();
        asked
            .filter_map(|(name, range)| {
                let rise = self.end.counters.get(name).copied().unwrap_or(0);
                let expected = format!("{name} to rise by {range} on the {}", self.end.end);
                (!range.contains(rise))
                    .then(|| self.mismatch(expected, self.line(), format!("it rose by {rise}")))
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
