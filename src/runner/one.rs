//! One case of a run, from its admission to its verdict.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::budget::ResourceBudget;
use super::case::Seen;
use super::context::CaseContext;
use super::permit::RunSlot;
use super::{Entry, Options, Place, case};
use crate::endpoint::EndWitness;
use crate::job::{self, JobResult};
use crate::judge;
use crate::lab::drops::DropMonitor;
use crate::model::Moment;
use crate::outcome::{Attempt, CaseResult, Observation, Verdict};
use crate::prepare::Prepared;
use crate::stall::StallWatch;
use crate::text::printable;

/// The time beyond its limit that a case may take to return its observation.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The default limit of a guest in wall-clock time. A user-mode guest takes a fraction of a second;
/// a QEMU guest may take minutes to simulate hours.
const GUEST_LIMIT: Duration = Duration::from_secs(300);

/// A case, or the variants of a case in a network that carries both families, with all that is
/// needed to run it.
pub(super) struct CaseRun {
    pub(super) entries: Vec<Entry>,
    pub(super) options: Options,
    pub(super) stalls: StallWatch,
    pub(super) witness: EndWitness,
    pub(super) budget: Arc<ResourceBudget>,
}

impl CaseRun {
    /// Runs the case. Returns one result for each entry, in order.
    pub(super) async fn results(self) -> Vec<CaseResult> {
        let begun = Moment::now();
        let entries = self.entries.clone();
        let ran = self.ran().await;
        let elapsed = Moment::now().since(begun);
        let of_each: Vec<Result<Attempted, Verdict>> = match ran {
            Ok(ran) => ran.into_iter().map(Ok).collect(),
            Err(verdict) => entries.iter().map(|_| Err(verdict.clone())).collect(),
        };
        let result = |(entry, ran): (Entry, Result<Attempted, Verdict>)| {
            let (verdict, observation, guest_time) = match ran {
                Ok(ran) => {
                    let (verdict, observation) = judged(&entry.prepared, ran.attempt);
                    (verdict, observation, ran.guest_time)
                }
                Err(verdict) => (verdict, None, None),
            };
            CaseResult {
                prepared: entry.prepared,
                phase: entry.phase,
                verdict,
                observation,
                elapsed,
                guest_time,
            }
        };
        entries.into_iter().zip(of_each).map(result).collect()
    }

    fn variants(&self) -> Vec<Arc<Prepared>> {
        let entries = self.entries.iter();
        entries.map(|entry| Arc::clone(&entry.prepared)).collect()
    }

    async fn ran(self) -> Result<Vec<Attempted>, Verdict> {
        // Variants differ in the family of their connections only.
        let first = &self.entries[0];
        if let Some(reason) = self
            .options
            .place
            .lacks(&first.prepared.case, self.options.slow)
        {
            return Err(Verdict::Skipped(reason.to_owned()));
        }
        match &self.options.place {
            Place::Here => self.ran_here().await,
            Place::Guest(machine) => {
                let limit = self.options.timeout.unwrap_or(GUEST_LIMIT);
                match job::run(machine, &self.variants(), first.phase, limit).await {
                    Ok(ran) => Ok(ran.into_iter().map(Attempted::from).collect()),
                    Err(error) if error.is_limit() && self.options.timeout.is_some() => {
                        Err(judge::timed_out(limit))
                    }
                    // The message contains the last lines of the guest's console.
                    Err(error) => Err(Verdict::Error(printable(&error.to_string()).into_owned())),
                }
            }
        }
    }

    /// Runs the case in a separate task, so that a panic affects only this case. Dropping the
    /// future aborts the task.
    async fn ran_here(self) -> Result<Vec<Attempted>, Verdict> {
        let limit = self.options.timeout;
        let mut task = JoinSet::new();
        let variants = self.variants();
        let (slot, run_slot) = self.budget.enter(&variants).await;
        let shared = CaseContext {
            netlink: self.budget.netlink(),
            stalls: self.stalls,
            witness: self.witness,
            slot: Some(slot),
            tables: self.budget.tables(),
            drops: None,
        };
        task.spawn(attempts(variants, limit, (shared, Some(run_slot))));
        let last = limit.map_or(Duration::MAX, |limit| limit + LAST_WORDS);
        match tokio::time::timeout(last, task.join_next()).await {
            Ok(Some(Ok(ran))) => Ok(ran
                .into_iter()
                .map(|JobResult { attempt, .. }| Attempted {
                    attempt,
                    guest_time: None,
                })
                .collect()),
            Ok(Some(Err(panic))) => Err(Verdict::Error(format!(
                "internal error: the case task panicked: {panic}"
            ))),
            Ok(None) => Err(Verdict::Error("the case never ran".to_owned())),
            Err(_) => Err(judge::timed_out(limit.unwrap_or(last))),
        }
    }
}

struct Attempted {
    attempt: Attempt,
    guest_time: Option<Duration>,
}

/// The result of a case that ran in a guest.
impl From<JobResult> for Attempted {
    fn from(ran: JobResult) -> Self {
        Self {
            attempt: ran.attempt,
            guest_time: Some(ran.took),
        }
    }
}

/// Runs the variants of a case on a kernel that runs nothing else. Returns the result of each
/// variant.
pub(super) async fn attempt_alone(variants: Vec<Prepared>) -> Vec<JobResult> {
    let variants: Vec<Arc<Prepared>> = variants.into_iter().map(Arc::new).collect();
    let drops = match DropMonitor::start() {
        Ok(drops) => drops.map(Arc::new),
        Err(error) => {
            let impossible = |_: &Arc<Prepared>| JobResult {
                attempt: Attempt::Impossible(error.to_string()),
                took: Duration::ZERO,
            };
            return variants.iter().map(impossible).collect();
        }
    };
    let alone = CaseContext {
        netlink: Handle::current(),
        stalls: StallWatch::default(),
        witness: EndWitness::default(),
        slot: None,
        tables: None,
        drops,
    };
    attempts(variants, None, (alone, None)).await
}

async fn attempts(
    variants: Vec<Arc<Prepared>>,
    limit: Option<Duration>,
    context: (CaseContext, Option<RunSlot>),
) -> Vec<JobResult> {
    let seen = case::run(&variants, limit, context).await;
    let ran = |(seen, took): Seen| JobResult {
        attempt: match seen {
            Ok(observation) => Attempt::Observed(Box::new(observation)),
            Err(error) => match error.skip_reason() {
                Some(reason) => Attempt::Skipped(reason),
                None => Attempt::Impossible(error.to_string()),
            },
        },
        took,
    };
    seen.into_iter().map(ran).collect()
}

fn judged(prepared: &Prepared, attempt: Attempt) -> (Verdict, Option<Observation>) {
    match attempt {
        Attempt::Observed(observation) => {
            (judge::judge(prepared, &observation), Some(*observation))
        }
        Attempt::Skipped(reason) => (Verdict::Skipped(reason), None),
        Attempt::Impossible(reason) => (Verdict::Error(reason), None),
    }
}
