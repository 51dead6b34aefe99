//! The guest part of a job: runs the case on the kernel of the guest and returns the observation.

use std::path::PathBuf;
use std::time::Duration;

use super::one::attempt_alone;
use crate::job::{Description, Job, JobResult};
use crate::kernel;
use crate::outcome::Attempt;
use crate::prepare::Prepared;

/// Executes an encoded `Job` in the guest, and returns the encoded result. It panics if the job
/// cannot be decoded; the init process of the guest reports a panic to the host.
#[must_use]
pub fn handle(job: Vec<u8>) -> Vec<u8> {
    let answer = match serde_json::from_slice(&job) {
        Ok(Job::Describe) => serde_json::to_vec(&Description {
            release: kernel::release().unwrap_or_default(),
            hz: kernel::hz(),
        }),
        Ok(Job::Run {
            variants,
            ticks,
            phase,
        }) => {
            // The guest does not need the path of the file.
            let prepared = |case| Prepared::new(PathBuf::new(), case, ticks);
            let variants = variants.into_iter().map(prepared).collect();
            serde_json::to_vec(&run_here(variants, phase))
        }
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) => answer,
        Err(error) => panic!("cannot decode the job or encode its result: {error}"),
    }
}

fn run_here(variants: Vec<Prepared>, phase: Duration) -> Vec<JobResult> {
    // One processor, so one thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            tokio::time::sleep(phase).await;
            attempt_alone(variants).await
        }),
        Err(error) => {
            let impossible = |_: &Prepared| JobResult {
                attempt: Attempt::Impossible(format!("cannot start a runtime: {error}")),
                took: Duration::ZERO,
            };
            variants.iter().map(impossible).collect()
        }
    }
}
