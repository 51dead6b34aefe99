//! From checked scenarios to cases that are ready to run: each with its network and with what the
//! oracle says of it. Pure.

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
    /// The file it comes from.
    pub path: PathBuf,
    /// The case itself.
    pub case: Case,
    /// Its network, in the family of its connection.
    pub network: NetworkPlan,
    /// What the same network has of the other family, where it carries both.
    pub other_family: Option<NetworkPlan>,
    /// What is known of the kernel's tick.
    pub ticks: Ticks,
    /// What the oracle says of the client; `None` where its rules do not settle it.
    pub client: Option<Prediction>,
    /// What it says of the server.
    pub server: Option<Prediction>,
}

/// The window that an error is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Not before.
    pub earliest: Duration,
    /// Not after, on an unloaded machine.
    pub latest: Duration,
    /// Counted from where.
    pub from: WindowOrigin,
    /// Who says so: `line 14 of the file`, or the oracle's formula.
    pub formula: String,
}

/// Where a window starts to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowOrigin {
    /// Zero time.
    Fault,
    /// The last segment that the end received.
    LastReceived,
    /// The first transmission of the data that is never acknowledged.
    FirstUnacknowledged,
    /// Whichever of the two applies to the connection as it was captured.
    Activity,
}

impl WindowOrigin {
    /// The moment itself, for a connection as it had been captured by `at`; `None` where there was
    /// no such moment.
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

/// How a person names it.
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
/// Every expectation of an error for which neither the file nor the oracle has a window.
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
    /// Adds to a case what follows from it.
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

    /// Whether it shares its lab with the case of the other family.
    #[must_use]
    pub(crate) fn is_variant(&self) -> bool {
        self.other_family.is_some()
    }

    /// All that the network carries, IPv4 first: what a lab is built from.
    #[must_use]
    pub fn networks(&self) -> Vec<NetworkPlan> {
        let carried = std::iter::once(&self.network).chain(&self.other_family);
        let mut networks: Vec<NetworkPlan> = carried.cloned().collect();
        networks.sort_by_key(|network| network.family);
        networks
    }

    /// The modelled network of each family that it carries, before the first step, in the order of
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

    /// What the oracle says of one end.
    #[must_use]
    pub fn prediction(&self, end: End) -> Option<&Prediction> {
        match end {
            End::Client => self.client.as_ref(),
            End::Server => self.server.as_ref(),
        }
    }

    /// The ends that something is asked of.
    pub fn observed(&self) -> impl Iterator<Item = (End, &Expectation)> {
        [End::Client, End::Server]
            .into_iter()
            .filter_map(|end| Some((end, self.case.expect.end(end)?)))
    }

    /// The window for the error that is expected at one end: the file's, else the oracle's. None
    /// where it is to survive.
    #[must_use]
    pub fn window(&self, end: End) -> Option<Window> {
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
            // Of a close the oracle knows nothing.
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

    /// How long the case will take at most, as far as is known in advance: for progress, not for
    /// judging.
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

    /// How long a step waits, as far as is known in advance.
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
