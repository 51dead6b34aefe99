//! The probes on the wire against those that the file asks for.

use std::time::Duration;

use super::Judging;
use crate::oracle::keepalive::EffectiveKeepalive;
use crate::outcome::{ConnectionObservation, Mismatch};
use crate::prepare::ALLOWANCE;
use crate::text::seconds;
use crate::wire::Probe;

impl Judging<'_> {
    /// The mismatches of the first connection that has any.
    pub(super) fn probes(&self) -> Vec<Mismatch> {
        self.end
            .connections
            .iter()
            .map(|connection| self.probes_of(connection))
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    fn probes_of(&self, connection: &ConnectionObservation) -> Vec<Mismatch> {
        let probes = connection.track.probes_since(self.observation.zero);
        let mut found = self.probe_counts(probes);
        found.extend(self.probe_times(connection, probes));
        found
    }

    fn probe_counts(&self, probes: &[Probe]) -> Vec<Mismatch> {
        let answered = probes
            .iter()
            .filter(|probe| probe.answered.is_some())
            .count();
        let asked = &self.expectation.probes;
        let counts = [
            ("sent", asked.sent, probes.len()),
            ("answered", asked.answered, answered),
        ];
        let times: Vec<String> = probes
            .iter()
            .map(|probe| seconds(probe.sent.since(self.observation.zero)))
            .collect();
        let sent = if times.is_empty() {
            String::new()
        } else {
            format!(", sent at {}", times.join(", "))
        };
        counts
            .into_iter()
            .filter_map(|(what, range, count)| {
                let range = range.filter(|range| !range.contains(count as u64))?;
                let noun = if (range.min, range.max) == (1, Some(1)) {
                    "probe"
                } else {
                    "probes"
                };
                Some(self.mismatch(
                    format!("{range} {noun} {what} on the wire"),
                    self.line(),
                    format!("{count}{sent}"),
                ))
            })
            .collect()
    }

    /// The timer's zero is the last activity before the first of the probes, which may lie before zero time or, where data was
    /// written last, after it. The kernel compares whole jiffies, and each restart may be late by what the wheel allows.
    fn probe_times(&self, connection: &ConnectionObservation, probes: &[Probe]) -> Vec<Mismatch> {
        let settings = self.prepared.case.connection.end(self.end.end);
        let Some(keepalive) = settings.keepalive.map(EffectiveKeepalive::new) else {
            return Vec::new();
        };
        let (zero, ticks) = (self.observation.zero, self.prepared.ticks);
        let activity = probes
            .first()
            .and_then(|first| connection.track.last_received_before(first.sent));
        let early = zero.since(activity.unwrap_or(zero)) + ticks.slowest().jiffy();
        let late = ticks.lateness(keepalive.idle.max(keepalive.interval));
        let due = self.expectation.probes.at.iter();
        (1_u32..)
            .zip(due)
            .filter_map(|(number, due)| {
                let probe = probes.get(number as usize - 1);
                self.probe_time(number, probe, *due, early, late * number + ALLOWANCE)
            })
            .collect()
    }

    fn probe_time(
        &self,
        number: u32,
        probe: Option<&Probe>,
        due: Duration,
        early: Duration,
        late: Duration,
    ) -> Option<Mismatch> {
        let expected = format!("probe {number} sent {} after the fault", seconds(due));
        let Some(probe) = probe else {
            return Some(self.mismatch(expected, self.line(), "no such probe".to_owned()));
        };
        let time = probe.sent.since(self.observation.zero);
        if time + early >= due && time <= due + late + self.end.stall {
            return None;
        }
        Some(self.mismatch(
            format!("{expected}, at most {} late", seconds(late)),
            self.line(),
            format!("sent after {}", seconds(time)),
        ))
    }
}
