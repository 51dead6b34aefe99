//! What a guest is sent for: one case, there and back again; in a network that carries both
//! families, its two variants.
//!
//! The guest runs it exactly as the harness does on its own kernel, and returns what was observed.
//! Judging is the host's.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::guest::{self, Failure, GuestError, GuestMachine};
use crate::model::Hz;
use crate::oracle::Ticks;
use crate::outcome::Attempt;
use crate::prepare::Prepared;
use crate::scenario::Case;

/// What a guest is asked.
#[serde_as]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Job {
    /// What kernel it is.
    Describe,
    /// What becomes of the variants of a case.
    Run {
        variants: Vec<Case>,
        ticks: Ticks,
        /// To wait before anything is done: when a timer fires depends on the phase of jiffies at
        /// which it is armed.
        #[serde_as(as = "DurationNanoSeconds<u64>")]
        phase: Duration,
    },
}

/// What the running kernel says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// `uname -r`.
    pub release: String,
    /// The tick that it was built with, where it tells.
    pub hz: Option<Hz>,
}

/// What came of a case, or of one of its variants.
#[serde_as]
#[derive(Debug, Serialize, Deserialize)]
pub struct JobResult {
    /// What was observed, or why nothing could be.
    pub attempt: Attempt,
    /// How long it took by the clock of the kernel that it ran on.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub took: Duration,
}

/// Why a guest gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It gave none.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// It could not be told what to do.
    #[error("the case cannot be written down for the guest: {0}")]
    Job(serde_json::Error),
    /// It gave one that is none.
    #[error("the guest's answer cannot be understood: {0}")]
    Answer(serde_json::Error),
}

impl JobError {
    /// Whether the guest was stopped at its limit.
    #[must_use]
    pub(crate) fn is_limit(&self) -> bool {
        matches!(self, Self::Guest(error) if matches!(error.failure, Failure::Limit(_)))
    }
}

/// Asks a machine's kernel what it is, which also proves that it boots.
///
/// # Errors
/// [`JobError`].
pub async fn describe(machine: &GuestMachine, limit: Duration) -> Result<Description, JobError> {
    send(machine, &Job::Describe, limit).await
}

/// Runs the variants of one case on a machine that is booted for it; what came of each.
///
/// # Errors
/// [`JobError`]: nothing is known of the case then.
pub async fn run(
    machine: &GuestMachine,
    variants: &[Arc<Prepared>],
    phase: Duration,
    limit: Duration,
) -> Result<Vec<JobResult>, JobError> {
    let cases = variants.iter().map(|variant| variant.case.clone());
    let job = Job::Run {
        variants: cases.collect(),
        ticks: variants
            .first()
            .map_or(Ticks::Unknown, |variant| variant.ticks),
        phase,
    };
    send(machine, &job, limit).await
}

async fn send<A: for<'a> Deserialize<'a>>(
    machine: &GuestMachine,
    job: &Job,
    limit: Duration,
) -> Result<A, JobError> {
    let job = serde_json::to_vec(job).map_err(JobError::Job)?;
    let answer = guest::run(machine, &job, limit).await?;
    serde_json::from_slice(&answer).map_err(JobError::Answer)
}
