//! From the last step to what every end saw.

use std::io;
use std::sync::Arc;

use futures::future::join_all;
use tokio::task::JoinError;

use super::case::{PATIENCE, Running, io_at};
use super::steps;
use super::watch::{self, Watched};
use crate::clock::Moment;
use crate::lab::error::LabError;
use crate::outcome::{ConnectionObservation, Descriptors, EndObservation};
use crate::scenario::model::{End, Expectation, ExpectedOutcome};
use crate::wire::Track;

impl Running {
    /// Watches until every end has its outcome, or its time is over; then looks at everything there is to see.
    pub(super) async fn observe(mut self, zero: Moment) -> Result<Vec<EndObservation>, LabError> {
        let prepared = Arc::clone(&self.prepared);
        let watched = self.watch(zero).await?;
        let exchanged = self.prove_survivors().await;
        let mut ends = Vec::new();
        for ((end, expectation), watched) in prepared.observed().zip(watched) {
            let survivor = matches!(expectation.outcome, ExpectedOutcome::Survives(_));
            let exchanged = if survivor { exchanged.clone() } else { None };
            ends.push(EndObservation {
                end,
                connections: self.connections(end, exchanged.as_ref()),
                counters: self.side(end).counter_rises(&self.lab).await?,
                descriptors: self.reclaim(end, expectation)?,
                stall: watched.stall,
                watched_until: watched.until,
            });
        }
        self.attach_tracks(&mut ends).await?;
        Ok(ends)
    }

    /// Watches every end at once, while hosts come back from their reboots.
    async fn watch(&mut self, zero: Moment) -> Result<Vec<Watched>, LabError> {
        let prepared = Arc::clone(&self.prepared);
        let mut returns = std::mem::take(&mut self.returns);
        let watching = join_all(prepared.observed().map(|(end, expectation)| {
            watch::end(self.side(end), expectation, prepared.window(end), zero)
        }));
        tokio::pin!(watching);
        loop {
            tokio::select! {
                watched = &mut watching => return Ok(watched),
                Some(returned) = returns.join_next() => host_is_back(returned)?,
            }
        }
    }

    /// A further exchange on every connection, if an end expects to survive. One serves both ends.
    async fn prove_survivors(&mut self) -> Option<Result<(), String>> {
        let (end, _) = self
            .prepared
            .observed()
            .find(|(_, expectation)| matches!(expectation.outcome, ExpectedOutcome::Survives(_)))?;
        let (from, to) = self.pair(end);
        if from
            .endpoints
            .iter()
            .any(|endpoint| endpoint.ended().is_some())
        {
            return None;
        }
        let exchange = steps::exchange(from, to, b"are you still there?");
        Some(match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        })
    }

    /// How each connection of an end stands; what was on the wire is attached later.
    fn connections(
        &self,
        end: End,
        exchanged: Option<&Result<(), String>>,
    ) -> Vec<ConnectionObservation> {
        let endpoints = self.side(end).endpoints.iter();
        endpoints
            .map(|endpoint| ConnectionObservation {
                ended: endpoint.ended(),
                further_exchange: exchanged.cloned(),
                track: Track::default(),
            })
            .collect()
    }

    /// Closes what has ended, as a server does, and counts the descriptors that are left.
    fn reclaim(
        &mut self,
        end: End,
        expectation: &Expectation,
    ) -> Result<Option<Descriptors>, LabError> {
        if !expectation.descriptors_return {
            return Ok(None);
        }
        let (side, _) = self.pair(end);
        let open = side.count_descriptors()?;
        side.endpoints.retain(|endpoint| endpoint.ended().is_none());
        Ok(Some(Descriptors {
            before: side.descriptors_before,
            open,
            after: side.count_descriptors()?,
        }))
    }

    async fn attach_tracks(self, ends: &mut [EndObservation]) -> Result<(), LabError> {
        for side in [self.client, self.server] {
            let end = side.end;
            let mut tracks = side.finish_capture().await?;
            let Some(observation) = ends.iter_mut().find(|observation| observation.end == end)
            else {
                continue;
            };
            for (connection, port) in observation.connections.iter_mut().zip(&self.ports) {
                // An empty track would hold nothing against a case that expects no probe.
                connection.track = tracks.remove(port).ok_or_else(|| {
                    let nothing = format!("nothing was seen of the connection from port {port}");
                    io_at(end, "capture at the interface", io::Error::other(nothing))
                })?;
            }
        }
        Ok(())
    }
}

/// A host that could not come back is an error of the lab; a panic is passed on.
fn host_is_back(returned: Result<Result<(), LabError>, JoinError>) -> Result<(), LabError> {
    match returned {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_cancelled) => Ok(()),
        },
    }
}
