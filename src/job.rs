//! Jobs for a guest: one case, or both variants of a case in a network that carries both families.
//!
//! The guest runs the case exactly as the harness does on its own kernel, and returns the
//! observation. The host judges it.

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

/// A job for a guest.
#[serde_as]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Job {
    /// Describe the kernel of the guest.
    Describe,
    /// Run the variants of a case.
    Run {
        variants: Vec<Case>,
        ticks: Ticks,
        /// The delay before the case begins. It sets the phase of the jiffies at which timers are
        /// armed, and the expiry of a timer depends on that phase.
        #[serde_as(as = "DurationNanoSeconds<u64>")]
        phase: Duration,
    },
}

/// A description of the kernel of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// `uname -r`.
    pub(crate) release: String,
    /// The tick rate (`CONFIG_HZ`), if it is known.
    pub(crate) hz: Option<Hz>,
}

/// The result of a case, or of one of its variants.
#[serde_as]
#[derive(Debug, Serialize, Deserialize)]
pub struct JobResult {
    /// The observation, or the reason why there is none.
    pub attempt: Attempt,
    /// The duration, by the clock of the kernel that it ran on.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub took: Duration,
}

/// Why a guest returned no result.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The guest failed.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// The job cannot be encoded.
    #[error("cannot encode the case for the guest: {0}")]
    Job(serde_json::Error),
    /// The result cannot be decoded.
    #[error("cannot decode the result of the guest: {0}")]
    Answer(serde_json::Error),
}

impl JobError {
    /// Whether the guest was killed because it exceeded its time limit.
    #[must_use]
    pub(crate) fn is_limit(&self) -> bool {
        matches!(self, Self::Guest(error) if matches!(error.failure, Failure::Limit(_)))
    }
}

/// Boots a guest and returns the description of its kernel. Success also proves that the kernel
/// boots.
///
/// # Errors
/// [`JobError`].
pub async fn describe(machine: &GuestMachine, limit: Duration) -> Result<Description, JobError> {
    send(machine, &Job::Describe, limit).await
}

/// Boots a guest and runs the variants of one case in it. Returns the result of each variant.
///
/// # Errors
/// [`JobError`]; then there is no observation of the case.
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
