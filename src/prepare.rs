//! Prepares checked cases for a run: adds the network plan and the prediction of the oracle to each
//! case. Pure functions.

mod silence;
mod warnings;

use std::path::PathBuf;
use std::time::Duration;

pub use warnings::warnings;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{EffectiveKeepalive, End, Ended, Expectation, Moment, Since, Stack};
use crate::oracle::prediction::{Origin, PredictedOutcome, Prediction};
use crate::oracle::{self, Ticks};
use crate::plan::NetworkPlan;
use crate::scenario::{Case, FileDiagnostics, Scenario};
use crate::step::Start;
use crate::wire::{Track, Write};
use crate::world::World;

/// A case that is ready to run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Prepared {
    /// The file that contains the case.
    pub(crate) path: PathBuf,
    /// The case itself.
    pub case: Case,
    /// Its network, in the family of its connection.
    pub network: NetworkPlan,
    /// The plan of the same network in the other family, if the network carries both.
    pub(crate) other_family: Option<NetworkPlan>,
    /// The tick rate of the kernel, as far as it is known.
    pub(crate) ticks: Ticks,
    /// The prediction of the oracle for the client; `None` if no rule applies, or if the client has
    /// no expectation.
    pub(crate) client: Option<Prediction>,
    /// The prediction of the oracle for the server; `None` as for the client.
    pub(crate) server: Option<Prediction>,
}

/// The window in which an error must occur.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    /// The earliest time.
    pub(crate) earliest: Duration,
    /// The latest time, on an unloaded machine.
    pub(crate) latest: Duration,
    /// The origin of both times.
    pub(crate) from: WindowOrigin,
    /// The source of the window: `within, line 14`, or the formula of the oracle.
    pub(crate) formula: String,
}

/// The origin of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowOrigin {
    /// Zero time.
    Fault,
    /// The last segment that the end received.
    LastReceived,
    /// The first transmission of the data that is never acknowledged.
    FirstUnacknowledged,
    /// `FirstUnacknowledged` if the captured connection has such data, otherwise `LastReceived`.
    Activity,
}

impl WindowOrigin {
    /// The moment of the origin, for a connection with the segments captured before `at`; `None` if
    /// the connection has no such origin.
    #[must_use]
    pub(crate) fn moment(
        self,
        zero: Moment,
        track: &Track,
        writes: &[Write],
        at: Moment,
    ) -> Option<Moment> {
        let received = track.last_received_before(at);
        let unacknowledged = track.first_unacknowledged(writes);
        match self {
            Self::Fault => Some(zero),
            Self::LastReceived => received,
            Self::FirstUnacknowledged => unacknowledged,
            Self::Activity => unacknowledged.or(received),
        }
    }
}

/// The text of the origin in messages.
impl std::fmt::Display for WindowOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Fault => "the fault",
            Self::LastReceived => "the last segment received",
            Self::FirstUnacknowledged => "the unacknowledged data was sent",
            Self::Activity => "the last activity",
        })
    }
}

/// Prepares every case.
///
/// # Errors
/// One diagnostic for each expected error for which neither the file nor the oracle has a window.
pub fn prepare(
    scenarios: Vec<Scenario>,
    ticks: impl Into<Ticks>,
) -> Result<Vec<Prepared>, Vec<FileDiagnostics>> {
    let ticks = ticks.into();
    let cases = scenarios.iter().flat_map(|scenario| {
        let of = |case: &Case| Prepared::new(scenario.path.clone(), case.clone(), ticks);
        scenario.cases.iter().map(of)
    });
    let prepared: Vec<Prepared> = cases.collect();
    let unjudgeable = warnings::unjudgeable(&prepared, &scenarios);
    if unjudgeable.is_empty() {
        Ok(prepared)
    } else {
        Err(unjudgeable)
    }
}

impl Prepared {
    /// Adds the network plans and the predictions to a case.
    #[must_use]
    pub fn new(path: PathBuf, case: Case, ticks: Ticks) -> Self {
        let network = |family| {
            NetworkPlan::new(&case.topology, family)
                .with_firewall(case.firewall)
                .with_sysctls(&case.sysctl)
        };
        let other_family = match case.stack {
            Stack::Single => None,
            Stack::Dual => Some(network(case.family.other())),
        };
        let network = network(case.family);
        let predict = |end| {
            case.expect
                .end(end)
                .and_then(|_| oracle::predict(&case, end, ticks))
        };
        let (client, server) = (predict(End::Client), predict(End::Server));
        Self {
            path,
            case,
            network,
            other_family,
            ticks,
            client,
            server,
        }
    }

    /// Whether the case shares its lab with the variant of the other family.
    #[must_use]
    pub(crate) fn is_variant(&self) -> bool {
        self.other_family.is_some()
    }

    /// The network plans of all families that the network carries, IPv4 first. A lab is built from
    /// them.
    #[must_use]
    pub fn networks(&self) -> Vec<NetworkPlan> {
        let carried = std::iter::once(&self.network).chain(&self.other_family);
        let mut networks: Vec<NetworkPlan> = carried.cloned().collect();
        networks.sort_by_key(|network| network.family);
        networks
    }

    /// The modelled network of each family before the first step, in the order of
    /// [`Self::networks`].
    #[must_use]
    pub(crate) fn worlds(&self) -> Vec<World> {
        let of = |network: &NetworkPlan| {
            let mut case = self.case.clone();
            case.family = network.family;
            case.world()
        };
        self.networks().iter().map(of).collect()
    }

    /// The prediction of the oracle for one end.
    #[must_use]
    pub fn prediction(&self, end: End) -> Option<&Prediction> {
        match end {
            End::Client => self.client.as_ref(),
            End::Server => self.server.as_ref(),
        }
    }

    /// The ends that have expectations, with these.
    pub fn observed(&self) -> impl Iterator<Item = (End, &Expectation)> {
        [End::Client, End::Server]
            .into_iter()
            .filter_map(|end| Some((end, self.case.expect.end(end)?)))
    }

    /// The window for the error that is expected at one end: the window of the file, or else that
    /// of the oracle. `None` if the connection is expected to stay open.
    #[must_use]
    pub(crate) fn window(&self, end: End) -> Option<Window> {
        let expectation = self.case.expect.end(end)?;
        let expected = expectation.outcome.ended()?;
        if let Some(stated) = expectation.within {
            let from = match stated.since {
                Since::Fault => WindowOrigin::Fault,
                Since::Activity => WindowOrigin::Activity,
            };
            let formula = format!("within, line {}", expectation.line_of("within"));
            return Some(Window {
                earliest: stated.from,
                latest: stated.to,
                from,
                formula,
            });
        }
        match &self.prediction(end)?.outcome {
            // The oracle has no rule for a close by the peer.
            PredictedOutcome::Error { .. } if expected == Ended::EndOfFile => None,
            PredictedOutcome::Error { window, .. } => Some(Window {
                earliest: window.earliest,
                latest: window.latest,
                from: match window.since {
                    Origin::LastReceived => WindowOrigin::LastReceived,
                    Origin::FirstUnacknowledged => WindowOrigin::FirstUnacknowledged,
                },
                formula: window.formula.clone(),
            }),
            PredictedOutcome::Survives => None,
        }
    }

    /// The maximum duration of the case, as far as it is known in advance. It is used for progress,
    /// sampling rates and time limits of sockets, not for the verdict.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let steps = &self.case.steps;
        let before = |count: usize| -> Duration {
            let starts = steps.iter().take(count).map(|step| step.start);
            starts.map(|start| self.start_time(start)).sum()
        };
        let zero = steps
            .iter()
            .position(|step| step.action.is_fault())
            .map(|fault| before(fault + 1));
        let all = before(steps.len());
        self.observed()
            .map(|(end, expectation)| match expectation.outcome.lasts() {
                Some(time) => zero.unwrap_or(all) + time,
                None => {
                    all + self
                        .window(end)
                        .map_or(Duration::ZERO, |window| window.latest)
                }
            })
            .fold(all, Duration::max)
    }

    /// The time that a step waits before it begins, as far as it is known in advance.
    #[must_use]
    pub(crate) fn start_time(&self, start: Start) -> Duration {
        match start {
            Start::AtOnce => Duration::ZERO,
            Start::After(time) => time,
            Start::When { count, .. } => self
                .case
                .connection
                .observed_end()
                .and_then(|end| self.case.connection.end(end).keepalive)
                .map_or(Duration::ZERO, |keepalive| {
                    EffectiveKeepalive::new(keepalive).answered_period(self.ticks.slowest()) * count
                }),
        }
    }
}

#[cfg(test)]
mod tests;
