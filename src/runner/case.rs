//! Runs a case from the construction of its lab to its observation. In a network that carries both
//! families, a case has two variants, which run at the same time.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use super::barrier::{Barrier, Participant};
use super::baseline::CounterBaseline;
use super::context::CaseContext;
use super::permit::RunSlot;
use super::running::Running;
use super::shared::SharedOutcome;
use crate::lab::error::LabError;
use crate::model::Moment;
use crate::outcome::{BrokenStep, Cut, Observation};
use crate::prepare::Prepared;

/// The result of a variant, and the time from the start of the construction of the lab.
pub(super) type Seen = (Result<Observation, Arc<LabError>>, Duration);

/// Runs the variants of a case in one lab. A variant that takes longer than `limit` is cut short
/// and observed as it is. Dropping the future at any moment tears everything down.
pub(super) async fn run(
    variants: &[Arc<Prepared>],
    limit: Option<Duration>,
    (context, run_slot): (CaseContext, Option<RunSlot>),
) -> Vec<Seen> {
    let begun = Moment::now();
    let (barrier, participants) = Barrier::of(variants.len());
    match Running::establish(variants, (context, run_slot), barrier).await {
        Ok(mut running) => {
            let joined = running.iter_mut().zip(participants);
            let seen = join_all(joined.map(async |(running, participant)| {
                let seen = running.complete(participant, begun, limit).await;
                (seen, Moment::now().since(begun))
            }))
            .await;
            // Destroying the sockets of one variant sends a RST and changes counters of the kernel.
            // The other variant would see both in the shared namespaces, so this comes after all.
            join_all(running.iter().map(Running::destroy_orphans)).await;
            seen
        }
        Err(error) => {
            let (error, took) = (Arc::new(error), Moment::now().since(begun));
            let of_each = variants.iter().map(|_| (Err(Arc::clone(&error)), took));
            of_each.collect()
        }
    }
}

impl Running {
    /// Runs one variant up to its observation. It leaves the barrier when it takes no more steps,
    /// so that the other variant does not wait for it.
    async fn complete(
        &mut self,
        participant: Participant<SharedOutcome>,
        begun: Moment,
        limit: Option<Duration>,
    ) -> Result<Observation, Arc<LabError>> {
        let setup = self.established.since(begun);
        let left = limit.map_or(Duration::MAX, |limit| (begun + limit).remaining());
        let shared = Arc::clone(&self.shared);
        let played = async {
            tokio::select! {
                played = self.play(participant) => played,
                error = shared.loss() => Err(error),
            }
        };
        let cut_short = match (tokio::time::timeout(left, played).await, limit) {
            (Ok(played), _) => played?.map(Cut::Step),
            (Err(_), limit) => Some(Cut::Timeout(limit.unwrap_or(left))),
        };
        Ok(self.look(setup, cut_short).await?)
    }

    /// Takes the steps and waits for the outcome of every end. Returns the step that cut the case
    /// short, if one did.
    async fn play(
        &mut self,
        participant: Participant<SharedOutcome>,
    ) -> Result<Option<BrokenStep>, Arc<LabError>> {
        let broken = self.take_steps().await?;
        drop(participant);
        if broken.is_some() {
            return Ok(broken);
        }
        let zero = self.settle_zero().await?;
        self.shared.end_run_slot();
        self.watch(zero).await?;
        self.write_once_more();
        self.prove_survivors().await;
        Ok(None)
    }

    /// The zero of the case's times: the first fault, or the end of the last step if the case has
    /// no fault.
    async fn settle_zero(&mut self) -> Result<Moment, LabError> {
        if let Some(zero) = self.zero {
            return Ok(zero);
        }
        self.baseline = Arc::new(CounterBaseline::read(&self.shared.lab).await?);
        let zero = Moment::now();
        self.zero = Some(zero);
        Ok(zero)
    }
}
