//! Compares the captured probes with the expectations of the file.

use super::Judging;
use crate::model::{ALLOWANCE, CountRange, EffectiveKeepalive};
use crate::outcome::{ConnectionObservation, Mismatch};
use crate::prepare::WindowOrigin;
use crate::text::seconds;
use crate::wire::{Probe, ProbeKind};

impl Judging<'_> {
    /// The mismatches of the probes: at most one for each kind.
    pub(super) fn probes(&self) -> Vec<Mismatch> {
        let (asked, window) = (&self.expectation.probes, &self.expectation.window_probes);
        let counts = [
            ("probes.sent", ProbeKind::Keepalive, false, asked.sent),
            (
                "probes.answered",
                ProbeKind::Keepalive,
                true,
                asked.answered,
            ),
            ("window_probes.sent", ProbeKind::Window, false, window.sent),
            (
                "window_probes.answered",
                ProbeKind::Window,
                true,
                window.answered,
            ),
        ];
        let counts = counts
            .into_iter()
            .filter_map(|(key, kind, answered, range)| {
                self.probe_count(key, kind, answered, range?)
            });
        let times = self.of_connections(|connection| self.probe_times(connection));
        let spacing = self.of_connections(|connection| self.spacing(connection));
        counts.chain(times).chain(spacing).collect()
    }

    /// The probes of one kind between zero time and the end of the watch.
    fn watched_probes(&self, connection: &ConnectionObservation, kind: ProbeKind) -> Vec<Probe> {
        let probes = connection.track.probes_since(self.observation.zero).iter();
        let watched = probes.take_while(|probe| probe.sent <= self.end.watched_until);
        watched
            .filter(|probe| probe.kind == kind)
            .copied()
            .collect()
    }

    /// Compares the number of probes of one kind, or the number of the answered ones, with the
    /// range of the key.
    fn probe_count(
        &self,
        key: &str,
        kind: ProbeKind,
        answered: bool,
        range: CountRange,
    ) -> Option<Mismatch> {
        let name = match kind {
            ProbeKind::Keepalive => "keepalive probe",
            ProbeKind::Window => "window probe",
        };
        let (verb, plural) = match (answered, (range.min, range.max) == (1, Some(1))) {
            (true, true) => ("answered", ""),
            (true, false) => ("answered", "s"),
            (false, true) => ("sent", ""),
            (false, false) => ("sent", "s"),
        };
        self.of_connections(|connection| {
            let probes = self.watched_probes(connection, kind);
            let counted = probes
                .iter()
                .filter(|probe| !answered || probe.answered.is_some());
            let count = counted.count();
            if range.contains(count as u64) {
                return None;
            }
            let times: Vec<String> = probes
                .iter()
                .map(|probe| seconds(probe.sent.since(self.observation.zero)))
                .collect();
            let sent = if times.is_empty() {
                String::new()
            } else {
                format!(", sent at {}", times.join(", "))
            };
            let expected = format!("{range} {name}{plural} {verb} on the wire");
            Some(self.mismatch(expected, self.line(key), format!("{count}{sent}")))
        })
    }

    /// Compares the times of the probes with `probes.at`. The times count from the last segment
    /// that was received before the first probe (`keepalive_time_elapsed`). The kernel counts whole
    /// jiffies from the jiffy in which the segment arrived, so every probe may be early by one
    /// jiffy. Each restart of the timer may be late by the granularity of the timer wheel.
    fn probe_times(&self, connection: &ConnectionObservation) -> Option<Mismatch> {
        let settings = self.prepared.case.connection.end(self.end.end);
        let keepalive = settings.keepalive.map(EffectiveKeepalive::new)?;
        let probes = self.watched_probes(connection, ProbeKind::Keepalive);
        let received = probes
            .first()
            .and_then(|first| connection.track.last_received_before(first.sent));
        let ticks = self.prepared.ticks;
        let jiffy = ticks.slowest().jiffy();
        let lateness = ticks.lateness(keepalive.idle.max(keepalive.interval));
        (1_u32..)
            .zip(&self.expectation.probes.at)
            .find_map(|(number, due)| {
                let expected = format!(
                    "probe {number} sent {} after {}",
                    seconds(*due),
                    WindowOrigin::LastReceived
                );
                let (Some(probe), Some(received)) = (probes.get(number as usize - 1), received)
                else {
                    return Some(self.mismatch(
                        expected,
                        self.line("probes.at"),
                        "no such probe".to_owned(),
                    ));
                };
                let time = probe.sent.since(received);
                let late = lateness * number + ALLOWANCE + self.stalled(received, probe.sent);
                if time + jiffy >= *due && time <= *due + late {
                    return None;
                }
                let expected = format!("{expected}, at most {} late", seconds(late));
                let observed = format!("sent after {}", seconds(time));
                Some(self.mismatch(expected, self.line("probes.at"), observed))
            })
    }

    /// Compares the interval between consecutive probes with `probes.spacing`. The kernel counts
    /// whole jiffies, so an interval may be one jiffy short. Each restart of the timer may be late
    /// by the granularity of the timer wheel.
    fn spacing(&self, connection: &ConnectionObservation) -> Option<Mismatch> {
        let due = self.expectation.probes.spacing?;
        let ticks = self.prepared.ticks;
        let (jiffy, lateness) = (ticks.slowest().jiffy(), ticks.lateness(due));
        let probes = self.watched_probes(connection, ProbeKind::Keepalive);
        probes.windows(2).find_map(|pair| {
            let [earlier, later] = pair else { return None };
            let time = later.sent.since(earlier.sent);
            let late = lateness + ALLOWANCE + self.stalled(earlier.sent, later.sent);
            if time + jiffy >= due && time <= due + late {
                return None;
            }
            let expected = format!(
                "{} from each probe to the next, at most {} late",
                seconds(due),
                seconds(late)
            );
            let zero = self.observation.zero;
            let observed = format!(
                "{} from the one at {}",
                seconds(time),
                seconds(earlier.sent.since(zero))
            );
            Some(self.mismatch(expected, self.line("probes.spacing"), observed))
        })
    }
}
