//! What a guest is sent for: one case, there and back again; in a network that carries both families, its two strands.
//!
//! The guest runs it exactly as the harness does on its own kernel, and returns what was observed. Judging is the host's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::guest::{self, Failure, GuestError, Machine};
use crate::kernel;
use crate::oracle::{Hz, Ticks};
use crate::outcome::Attempt;
use crate::prepare::Prepared;
use crate::runner;
use crate::scenario::model::Case;

/// What a guest is asked.
#[serde_as]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Errand {
    /// What kernel it is.
    Describe,
    /// What becomes of the strands of a case.
    Run {
        strands: Vec<Case>,
        ticks: Ticks,
        /// To wait before anything is done: when a timer fires depends on the phase of jiffies at which it is armed.
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

/// What came of a case, or of one of its strands.
#[serde_as]
#[derive(Debug, Serialize, Deserialize)]
pub struct Ran {
    /// What was observed, or why nothing could be.
    pub attempt: Attempt,
    /// How long it took by the clock of the kernel that it ran on.
    #[serde_as(as = "DurationNanoSeconds<u64>")]
    pub took: Duration,
}

/// Why a guest gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ErrandError {
    /// It gave none.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// It could not be told what to do.
    #[error("the case cannot be written down for the guest: {0}")]
    Errand(serde_json::Error),
    /// It gave one that is none.
    #[error("the guest's answer cannot be understood: {0}")]
    Answer(serde_json::Error),
}

impl ErrandError {
    /// Whether the guest was stopped at its limit.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::Guest(error) if matches!(error.failure, Failure::Limit(_)))
    }
}

/// Asks a machine's kernel what it is, which also proves that it boots.
///
/// # Errors
/// [`ErrandError`].
pub async fn describe(machine: &Machine, limit: Duration) -> Result<Description, ErrandError> {
    send(machine, &Errand::Describe, limit).await
}

/// Runs the strands of one case on a machine that is booted for it; what came of each.
///
/// # Errors
/// [`ErrandError`]: nothing is known of the case then.
pub async fn run(
    machine: &Machine,
    strands: &[Arc<Prepared>],
    phase: Duration,
    limit: Duration,
) -> Result<Vec<Ran>, ErrandError> {
    let cases = strands.iter().map(|strand| strand.case.clone());
    let errand = Errand::Run {
        strands: cases.collect(),
        ticks: strands
            .first()
            .map_or(Ticks::Unknown, |strand| strand.ticks),
        phase,
    };
    send(machine, &errand, limit).await
}

async fn send<A: for<'a> Deserialize<'a>>(
    machine: &Machine,
    errand: &Errand,
    limit: Duration,
) -> Result<A, ErrandError> {
    let errand = serde_json::to_vec(errand).map_err(ErrandError::Errand)?;
    let answer = guest::run(machine, &errand, limit).await?;
    serde_json::from_slice(&answer).map_err(ErrandError::Answer)
}

/// The guest's side: does what is asked. A panic is reported to the host by the guest's init.
#[must_use]
pub fn handle(errand: Vec<u8>) -> Vec<u8> {
    let answer = match serde_json::from_slice(&errand) {
        Ok(Errand::Describe) => serde_json::to_vec(&Description {
            release: kernel::release().unwrap_or_default(),
            hz: kernel::hz(),
        }),
        Ok(Errand::Run {
            strands,
            ticks,
            phase,
        }) => {
            // Which file they come from is nothing to the guest.
            let prepared = |case| Prepared::new(PathBuf::new(), case, ticks);
            let strands = strands.into_iter().map(prepared).collect();
            serde_json::to_vec(&run_here(strands, phase))
        }
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) => answer,
        Err(error) => panic!("the errand cannot be understood: {error}"),
    }
}

fn run_here(strands: Vec<Prepared>, phase: Duration) -> Vec<Ran> {
    // One processor, so one thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            tokio::time::sleep(phase).await;
            runner::attempt_alone(strands).await
        }),
        Err(error) => {
            let impossible = |_: &Prepared| Ran {
                attempt: Attempt::Impossible(format!("cannot start a runtime: {error}")),
                took: Duration::ZERO,
            };
            strands.iter().map(impossible).collect()
        }
    }
}
