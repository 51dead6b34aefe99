//! Drives cases over labs, many at once, and tells what happens as events.
//!
//! Each case is one task; a semaphore limits how many are under way. A lab that cannot be built, or a case that panics, is an error
//! of that case alone.

mod case;
mod descriptors;
mod establish;
mod observe;
mod side;
mod steps;
mod traffic;
mod watch;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::clock::Moment;
use crate::judge;
use crate::outcome::{CaseResult, Event, Observation, Verdict};
use crate::prepare::Prepared;
use crate::stall::StallWatch;

/// How to run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// At most so many cases at once; `None`: all.
    pub jobs: Option<NonZeroUsize>,
    /// No case may take longer.
    pub timeout: Option<Duration>,
    /// Stop at the first case that does not pass.
    pub fail_fast: bool,
}

/// Runs every case and returns the results in the order of the cases. Cancel by dropping the future: what is finished has been sent
/// as an event by then.
pub async fn run(
    cases: Vec<Arc<Prepared>>,
    options: Options,
    events: mpsc::UnboundedSender<Event>,
) -> Vec<CaseResult> {
    let stalls = StallWatch::start();
    let permits = Arc::new(Semaphore::new(
        options
            .jobs
            .map_or(Semaphore::MAX_PERMITS, NonZeroUsize::get)
            .min(Semaphore::MAX_PERMITS),
    ));
    let mut tasks = JoinSet::new();
    for (position, prepared) in cases.iter().enumerate() {
        let (prepared, permits, events, stalls) = (
            Arc::clone(prepared),
            Arc::clone(&permits),
            events.clone(),
            stalls.clone(),
        );
        tasks.spawn(async move {
            // The semaphore is never closed.
            let _permit = permits.acquire().await;
            tell(&events, Event::Started(Arc::clone(&prepared)));
            (position, one(prepared, options.timeout, stalls).await)
        });
    }
    let mut results: Vec<Option<CaseResult>> = cases.iter().map(|_| None).collect();
    while let Some(finished) = tasks.join_next().await {
        let Ok((position, result)) = finished else {
            continue;
        };
        let failed = matches!(result.verdict, Verdict::Failed(_) | Verdict::Error(_));
        tell(&events, Event::Finished(Box::new(result.clone())));
        results[position] = Some(result);
        if failed && options.fail_fast {
            tasks.abort_all();
        }
    }
    let stopped = |prepared: &Arc<Prepared>| stopped(prepared, "stopped after another case failed");
    cases
        .iter()
        .zip(results)
        .map(|(prepared, result)| result.unwrap_or_else(|| stopped(prepared)))
        .collect()
}

/// A case that was not brought to its end.
#[must_use]
pub fn stopped(prepared: &Arc<Prepared>, why: &'static str) -> CaseResult {
    CaseResult {
        prepared: Arc::clone(prepared),
        verdict: Verdict::Stopped(why),
        observation: None,
        elapsed: Duration::ZERO,
    }
}

/// Nobody listens any more only when the run itself is being given up.
fn tell(events: &mpsc::UnboundedSender<Event>, event: Event) {
    events.send(event).ok();
}

/// How much longer than its limit a case may take to say what it saw.
const LAST_WORDS: Duration = Duration::from_secs(5);

async fn one(prepared: Arc<Prepared>, limit: Option<Duration>, stalls: StallWatch) -> CaseResult {
    let begun = Moment::now();
    // A task of its own, so that a panic is this case's alone, the judge's included; dropped with this future.
    let mut task = JoinSet::new();
    task.spawn(judged(Arc::clone(&prepared), limit, stalls));
    let last = limit.map_or(Duration::MAX, |limit| limit + LAST_WORDS);
    let (verdict, observation) = match tokio::time::timeout(last, task.join_next()).await {
        Ok(Some(Ok(finished))) => finished,
        Ok(Some(Err(panic))) => (
            Verdict::Error(format!("a fault of the harness itself: {panic}")),
            None,
        ),
        Ok(None) => (Verdict::Error("the case never ran".to_owned()), None),
        Err(_) => (judge::timed_out(limit.unwrap_or(last)), None),
    };
    CaseResult {
        prepared,
        verdict,
        observation,
        elapsed: Moment::now().since(begun),
    }
}

async fn judged(
    prepared: Arc<Prepared>,
    limit: Option<Duration>,
    stalls: StallWatch,
) -> (Verdict, Option<Observation>) {
    match case::run(Arc::clone(&prepared), limit, stalls).await {
        Ok(observation) => (judge::judge(&prepared, &observation), Some(observation)),
        Err(error) => match error.skip_reason() {
            Some(reason) => (Verdict::Skipped(reason), None),
            None => (Verdict::Error(error.to_string()), None),
        },
    }
}
