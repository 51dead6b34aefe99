//! The probes on the wire against those that the file asks for.

use std::time::Duration;

use super::Judging;
use crate::oracle::keepalive::EffectiveKeepalive;
use crate::outcome::{ConnectionObservation, Mismatch};
use crate::prepare::ALLOWANCE;
use crate::text::seconds;
use crate::wire::Probe;

impl Judging<'_> {
    pub(super) fn probes(&self) -> Vec<Mismatch> {
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
}
