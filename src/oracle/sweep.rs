//! From runs of the simulation to a prediction: the conditions that a case does not determine are
//! swept, and the prediction is the outcome that all runs have in common.
//!
//! The tests compare it with the analysis (`predict`).

use std::time::Duration;

use super::simulation::{self, Cause, Conditions, EndRun, Lateness, Run};
use crate::model::{EffectiveKeepalive, End, ErrnoName, Hz, STEP_TIME};
use crate::scenario::Case;
use crate::setting;

/// How many phases of the tick are tried at most.
const PHASES: u64 = 32;
/// The kernel runs for so long before the connection, in ticks: a multiple of every granularity.
const BEFORE: u64 = 1 << 21;

/// An error that all runs have, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hull {
    pub(super) errno: ErrnoName,
    pub(super) cause: Cause,
    /// From the last accepted segment.
    pub(super) received: (Duration, Duration),
    /// From the first transmission.
    pub(super) unacknowledged: Option<(Duration, Duration)>,
    /// From zero time.
    pub(super) zero: (Duration, Duration),
}

/// The outcome that all runs have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Common {
    Survives,
    Error(Hull),
}

/// Runs the case under all conditions. Returns `None` if the outcomes differ, or if the model does
/// not cover the case.
pub(super) fn sweep(case: &Case, end: End, hz: Hz) -> Option<Common> {
    let has_no_rule = |end| setting::has_no_rule(case.connection.end(end));
    if [End::Client, End::Server].into_iter().any(has_no_rule) || !case.sysctl.is_empty() {
        return None;
    }
    let (period, phases) = phases(case, hz);
    let mut common = None;
    for conditions in conditions(case, hz, period, phases)? {
        let run = simulation::run(case, hz, &conditions).ok()?;
        common = Some(join(common, &run, end)?);
    }
    let mut common = common?;
    if let Common::Error(hull) = &mut common {
        let between = hz.time(period / phases).saturating_sub(hz.jiffy());
        hull.widen(between);
    }
    Some(common)
}

/// The granularity of the longest timer, in ticks, and how many phases of it are tried.
fn phases(case: &Case, hz: Hz) -> (u64, u64) {
    let longest = [End::Client, End::Server]
        .into_iter()
        .filter_map(|end| case.connection.end(end).keepalive)
        .map(EffectiveKeepalive::new)
        .map(|keepalive| keepalive.idle.max(keepalive.interval))
        .max()
        .unwrap_or_default();
    let period = super::wheel::lateness(longest.max(Duration::from_secs(1)), hz);
    let period = hz.jiffies(period);
    (period, period.min(PHASES))
}

fn conditions(case: &Case, hz: Hz, period: u64, phases: u64) -> Option<Vec<Conditions>> {
    let late = |fault: bool, repair: bool, traffic: bool| {
        let time = |late| if late { STEP_TIME } else { Duration::ZERO };
        Lateness {
            fault: time(fault),
            repair: time(repair),
            traffic: time(traffic),
        }
    };
    let start = |phase: u64, late: bool| {
        let within = hz.jiffy() / 1000 * if late { 998 } else { 2 };
        hz.time(BEFORE + phase * (period / phases)) + within
    };
    let plain = |established| Conditions {
        established,
        longer_rto: 1,
        reachable: Duration::from_secs(30),
        carrier: Duration::ZERO,
        late: late(false, false, false),
    };
    let first = plain(start(0, false));
    let run = simulation::run(case, hz, &first).ok()?;
    let mut all = Vec::new();
    let rtos: &[u64] = if run.data_in_flight { &[0, 1, 2] } else { &[1] };
    let carriers: &[u64] = if run.carrier { &[0, 1000] } else { &[0] };
    let reachable: &[u64] = if run.neighbour_asked {
        &[15, 20, 25, 30, 35, 40, 45]
    } else {
        &[30]
    };
    for phase in 0..phases {
        for within in [false, true] {
            for &longer_rto in rtos {
                let mut conditions = plain(start(phase, within));
                conditions.longer_rto = longer_rto;
                all.push(conditions);
            }
        }
    }
    let lateness = [
        late(true, true, true),
        late(true, false, false),
        late(false, true, false),
        late(false, false, true),
    ];
    for (number, lateness) in lateness.into_iter().enumerate() {
        for phase in 0..phases.min(8) {
            let mut conditions = plain(start(phase * phases / phases.min(8), number % 2 == 0));
            conditions.late = lateness;
            all.push(conditions);
        }
    }
    let others = reachable.len() * carriers.len() > 1;
    for &reachable in reachable.iter().filter(|_| others) {
        for &carrier in carriers {
            for phase in 0..phases.min(4) {
                let mut conditions = plain(start(phase * phases / phases.min(4), phase % 2 == 0));
                conditions.reachable = Duration::from_secs(reachable);
                conditions.carrier = Duration::from_millis(carrier);
                all.push(conditions);
            }
        }
    }
    Some(all)
}

fn join(known: Option<Common>, run: &Run, end: End) -> Option<Common> {
    let new = match run.end(end) {
        EndRun::Forgotten => return None,
        EndRun::Survives => Common::Survives,
        EndRun::Ended {
            errno,
            at,
            cause,
            received,
            unacknowledged,
        } => {
            let since = |origin: Duration| {
                let time = at.saturating_sub(origin);
                (time, time)
            };
            Common::Error(Hull {
                errno,
                cause,
                received: since(received),
                unacknowledged: unacknowledged.map(since),
                zero: since(run.zero?),
            })
        }
    };
    match (known, new) {
        (None, new) => Some(new),
        (Some(Common::Survives), Common::Survives) => Some(Common::Survives),
        (Some(Common::Error(known)), Common::Error(new)) => known.join(&new).map(Common::Error),
        (Some(Common::Survives), Common::Error(_)) | (Some(Common::Error(_)), Common::Survives) => {
            None
        }
    }
}

impl Hull {
    fn join(self, other: &Self) -> Option<Self> {
        let join = |a: (Duration, Duration), b: (Duration, Duration)| (a.0.min(b.0), a.1.max(b.1));
        (self.errno == other.errno && self.cause.is_like(other.cause)).then(|| Self {
            errno: self.errno,
            cause: self.cause,
            received: join(self.received, other.received),
            unacknowledged: self
                .unacknowledged
                .zip(other.unacknowledged)
                .map(|(a, b)| join(a, b)),
            zero: join(self.zero, other.zero),
        })
    }

    fn widen(&mut self, by: Duration) {
        let widen = |(from, to): (Duration, Duration)| (from.saturating_sub(by), to + by);
        self.received = widen(self.received);
        self.unacknowledged = self.unacknowledged.map(widen);
        self.zero = widen(self.zero);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::predict::predict;
    use crate::oracle::prediction::{Origin, PredictedOutcome, PredictedWindow};
    use crate::shipped;

    /// How far the hull may lie beyond the window of the analysis.
    const BEYOND: Duration = Duration::from_millis(50);

    /// Why the two do not agree; `None` if they agree, or if the analysis has no prediction.
    fn difference(case: &Case, end: End, hz: Hz) -> Option<String> {
        let analysis = predict(case, end, hz)?.outcome;
        let swept = sweep(case, end, hz);
        let agrees = match (&analysis, &swept) {
            (PredictedOutcome::Survives, Some(Common::Survives)) => true,
            (PredictedOutcome::Error { errno, window }, Some(Common::Error(hull))) => {
                errno.is_none_or(|errno| errno == hull.errno) && is_within(window, hull)
            }
            (PredictedOutcome::Survives, Some(Common::Error(_)))
            | (PredictedOutcome::Error { .. }, Some(Common::Survives))
            | (_, None) => false,
        };
        (!agrees).then(|| format!("{} {end}: {analysis:?}, {swept:?}", case.id))
    }

    fn is_within(window: &PredictedWindow, hull: &Hull) -> bool {
        let hull = match window.since {
            Origin::LastReceived => Some(hull.received),
            Origin::FirstUnacknowledged => hull.unacknowledged,
        };
        hull.is_some_and(|(from, to)| {
            from + BEYOND >= window.earliest && to <= window.latest + BEYOND
        })
    }

    /// The cases that ship, at the ends that they observe.
    fn observed() -> Vec<(Case, End)> {
        let cases = shipped::scenarios()
            .0
            .into_iter()
            .flat_map(|scenario| scenario.cases);
        let ends = |case: Case| {
            let ends = [End::Client, End::Server].into_iter();
            let observed: Vec<End> = ends.filter(|end| case.expect.end(*end).is_some()).collect();
            observed.into_iter().map(move |end| (case.clone(), end))
        };
        cases.flat_map(ends).collect()
    }

    #[test]
    fn the_simulation_agrees_with_the_analysis_on_all_shipped_cases() {
        let hz = Hz::new(250).unwrap();
        let observed = observed();
        let differences: Vec<String> = observed
            .iter()
            .filter_map(|(case, end)| difference(case, *end, hz))
            .collect();
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}
