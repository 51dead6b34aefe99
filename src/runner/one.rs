//! One case of a run: from its turn to its verdict.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::case::Surroundings;
use super::room::Room;
use super::{Entry, Options, Place, case};
use crate::clock::Moment;
use crate::errand::{self, Ran};
use crate::judge;
use crate::lab::drops::DropMonitor;
use crate::outcome::{Attempt, CaseResult, Observation, Verdict};
use crate::prepare::Prepared;
use crate::stall::StallWatch;

/// How much longer than its limit a case may take to say what it saw.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long a guest may take by the clock on the wall. Those in user mode take a fraction of a second, those in
/// QEMU may take minutes for hours.
const GUEST_LIMIT: Duration = Duration::from_secs(300);

/// A case with all that it needs.
pub(super) struct One {
    pub(super) entry: Entry,
    pub(super) options: Options,
    pub(super) stalls: StallWatch,
    pub(super) room: Arc<Room>,
}

impl One {
    pub(super) async fn result(self) -> CaseResult {
        let begun = Moment::now();
        let (prepared, phase) = (Arc::clone(&self.entry.prepared), self.entry.phase);
        let (verdict, observation, guest_time) = match self.ran().await {
            Ok(ran) => {
                let (verdict, observation) = judged(&prepared, ran.attempt);
                (verdict, observation, ran.guest_time)
            }
            Err(verdict) => (verdict, None, None),
        };
        CaseResult {
            prepared,
            phase,
            verdict,
            observation,
            elapsed: Moment::now().since(begun),
            guest_time,
        }
    }

    async fn ran(self) -> Result<Attempted, Verdict> {
        if let Some(reason) = self
            .options
            .place
            .lacks(&self.entry.prepared.case, self.options.slow)
        {
            return Err(Verdict::Skipped(reason.to_owned()));
        }
        match &self.options.place {
            Place::Here => self.ran_here().await,
            Place::Guest(machine) => {
                let limit = self.options.timeout.unwrap_or(GUEST_LIMIT);
                let prepared = &self.entry.prepared;
                match errand::run(machine, prepared, self.entry.phase, limit).await {
                    Ok(Ran { attempt, took }) => Ok(Attempted {
                        attempt,
                        guest_time: Some(took),
                    }),
                    Err(error) if error.is_limit() && self.options.timeout.is_some() => {
                        Err(judge::timed_out(limit))
                    }
                    Err(error) => Err(Verdict::Error(error.to_string())),
                }
            }
        }
    }

    /// In a task of its own, so that a panic is this case's alone; dropped with this future.
    async fn ran_here(self) -> Result<Attempted, Verdict> {
        let limit = self.options.timeout;
        let mut task = JoinSet::new();
        let (tenancy, turn) = self.room.enter(&self.entry.prepared).await;
        let shared = Surroundings {
            netlink: self.room.netlink(),
            stalls: self.stalls,
            tenancy: Some(tenancy),
            turn: Some(turn),
            tables: self.room.tables(),
            drops: None,
        };
        task.spawn(attempt(self.entry.prepared, limit, shared));
        let last = limit.map_or(Duration::MAX, |limit| limit + LAST_WORDS);
        match tokio::time::timeout(last, task.join_next()).await {
            Ok(Some(Ok(attempt))) => Ok(Attempted {
                attempt,
                guest_time: None,
            }),
            Ok(Some(Err(panic))) => Err(Verdict::Error(format!(
                "a fault of the harness itself: {panic}"
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

/// Runs a case that has a kernel to itself.
pub async fn attempt_alone(prepared: Prepared) -> Attempt {
    let alone = Surroundings {
        netlink: Handle::current(),
        stalls: StallWatch::default(),
        tenancy: None,
        turn: None,
        tables: None,
        drops: match DropMonitor::start() {
            Ok(drops) => drops,
            Err(error) => return Attempt::Impossible(error.to_string()),
        },
    };
    attempt(Arc::new(prepared), None, alone).await
}

async fn attempt(
    prepared: Arc<Prepared>,
    limit: Option<Duration>,
    surroundings: Surroundings,
) -> Attempt {
    match case::run(prepared, limit, surroundings).await {
        Ok(observation) => Attempt::Observed(Box::new(observation)),
        Err(error) => match error.skip_reason() {
            Some(reason) => Attempt::Skipped(reason),
            None => Attempt::Impossible(error.to_string()),
        },
    }
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
