//! The part of a case after its last step: waits for the outcomes and collects the observation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};

use super::host_recorder::Watched;
use super::record::Tracks;
use super::running::Running;
use super::traffic;
use super::watch;
use crate::clock::Translation;
use crate::endpoint::Endpoint;
use crate::evidence::{Captured, Evidence, NetworkChange};
use crate::kernel;
use crate::lab::error::LabError;
use crate::model::{End, Ended, ErrnoName, Expectation, ExpectedOutcome, Moment};
use crate::outcome::{
    ConnectionObservation, Cut, Descriptors, EndObservation, Observation, Recording,
};
use crate::wire::Neighbours;

impl Running {
    /// Waits for each observed end until its connections have ended or its time is over, and reads
    /// the counters of its host at that moment.
    pub(super) async fn watch(&mut self, zero: Moment) -> Result<(), LabError> {
        let prepared = Arc::clone(&self.prepared);
        let watched = try_join_all(prepared.observed().map(|(end, expectation)| {
            let times = watch::Times {
                zero,
                settled: self.shared.settled(),
                window: prepared.window(end),
            };
            let side = self.side(end);
            let unaccepted = end == End::Server && !self.unaccepted.is_empty();
            let (running, stalls) = (&*self, &self.shared.context.stalls);
            async move {
                let over = watch::end(side, expectation, times, unaccepted, stalls).await;
                // The counters are read here: later changes, by the final exchange or during the
                // watch of the other end, belong to no expectation.
                Ok((end, running.look_now(end, over).await?))
            }
        }))
        .await?;
        for (end, watched) in watched {
            self.pair(end).0.watched = Some(watched);
        }
        Ok(())
    }

    /// Writes once more after the outcome at each end whose expectation has `next_write`, and
    /// stores the results.
    pub(super) fn write_once_more(&mut self) {
        for (end, expectation) in self.prepared.observed() {
            if expectation.next_write.is_some() {
                let endpoints = self.side(end).endpoints.iter();
                let said =
                    endpoints.map(|endpoint| ((end, endpoint.connection), endpoint.write_once()));
                let said: Vec<_> = said.collect();
                self.writes_said.extend(said);
            }
        }
    }

    /// Makes one further exchange on every connection that is open at both ends, if an end expects
    /// to survive. One exchange serves as the proof for both ends.
    pub(super) async fn prove_survivors(&mut self) {
        let survivor = self
            .prepared
            .observed()
            .find(|(_, expectation)| matches!(expectation.outcome, ExpectedOutcome::Survives(_)));
        if let Some((end, _)) = survivor {
            let (from, to) = self.pair(end);
            let exchanges = traffic::pairs(from, to)
                .filter(|(near, far)| near.ended().is_none() && far.ended().is_none())
                .map(|(near, far)| async {
                    let port = near.connection;
                    let exchanged = traffic::exchange_in_time(near, far, b"are you still there?");
                    (port, exchanged.await)
                });
            self.proofs = join_all(exchanges).await.into_iter().collect();
        }
    }

    /// Collects the observation of the case.
    pub(super) async fn look(
        &mut self,
        setup: Duration,
        cut_short: Option<Cut>,
    ) -> Result<Observation, LabError> {
        let prepared = Arc::clone(&self.prepared);
        let zero = self.zero.unwrap_or(self.established);
        let mut ends = Vec::new();
        for (end, expectation) in prepared.observed() {
            ends.push(self.look_at(end, expectation).await?);
        }
        self.shared.context.stalls.settle().await;
        let stalls = self
            .shared
            .context
            .stalls
            .between(self.established, Moment::now());
        let backlog_drops =
            kernel::backlog_drops().saturating_sub(self.shared.before.backlog_drops);
        let family = self.family();
        let refused_before = self.shared.before.neighbours_refused(family);
        let neighbours_refused = self.shared.context.neighbours_refused(family).await;
        let evidence = self.finish(&mut ends).await?;
        Ok(Observation {
            setup,
            zero,
            ends,
            stalls,
            backlog_drops,
            neighbours_refused: neighbours_refused.saturating_sub(refused_before),
            evidence,
            cut_short,
        })
    }

    /// The state of an end at the end of its watch, with the counters as they are now.
    async fn look_now(&self, end: End, watch: watch::Over) -> Result<Watched, LabError> {
        let counters = self.baseline.rises_at(&self.shared.lab, end.node()).await?;
        Ok(Watched {
            counters,
            until: watch.until,
            look_delay: Moment::now().since(watch.due),
        })
    }

    /// The observation of one end, without the captured frames, which are attached later.
    async fn look_at(
        &mut self,
        end: End,
        expectation: &Expectation,
    ) -> Result<EndObservation, LabError> {
        let connections = self.connections(end, expectation);
        let watched = match self.pair(end).0.watched.take() {
            Some(watched) => watched,
            // The case was cut short.
            None => self.look_now(end, watch::Over::now()).await?,
        };
        Ok(EndObservation {
            end,
            connections,
            neighbours: Neighbours::default(),
            counters: watched.counters,
            descriptors: self.reclaim(end, expectation).await?,
            watched_until: watched.until,
            look_delay: watched.look_delay,
            recording: Recording::default(),
        })
    }

    /// The state of each connection of an end. This reads pending socket errors, so no further
    /// action uses the connections afterwards.
    fn connections(&self, end: End, expectation: &Expectation) -> Vec<ConnectionObservation> {
        let survives = matches!(expectation.outcome, ExpectedOutcome::Survives(_));
        let of_open = |endpoint: &Endpoint| {
            let port = endpoint.connection;
            endpoint.read_error();
            let observation = ConnectionObservation {
                ended: endpoint.ended(),
                reads_since: endpoint.reads_since(),
                poll: endpoint.poll_events(),
                next_write: self.writes_said.get(&(end, port)).copied(),
                further_exchange: self.proofs.get(&port).filter(|_| survives).cloned(),
                writes: endpoint.writes.clone(),
                ..ConnectionObservation::default()
            };
            (port, observation)
        };
        let mut all: BTreeMap<u16, ConnectionObservation> =
            self.side(end).endpoints.iter().map(of_open).collect();
        if end == End::Client {
            all.extend(self.refused.iter().map(|(port, (errno, at))| {
                let observation = ConnectionObservation {
                    ended: Some((Ended::Error(*errno), *at)),
                    reads_since: Some(*at),
                    ..ConnectionObservation::default()
                };
                (*port, observation)
            }));
        }
        let unaccepted = |port: &u16| {
            let observation = ConnectionObservation {
                unaccepted: true,
                ..ConnectionObservation::default()
            };
            (*port, observation)
        };
        if end == End::Server {
            all.extend(self.unaccepted.iter().map(unaccepted));
        }
        all.into_values().collect()
    }

    /// Closes the sockets of ended connections, as a server does, and counts the descriptors before
    /// and after.
    async fn reclaim(
        &mut self,
        end: End,
        expectation: &Expectation,
    ) -> Result<Option<Descriptors>, LabError> {
        if !expectation.descriptors_return {
            return Ok(None);
        }
        let (side, _) = self.pair(end);
        let open = side.count_descriptors()?;
        let (ended, alive) = std::mem::take(&mut side.endpoints)
            .into_iter()
            .partition::<Vec<_>, _>(|endpoint| endpoint.ended().is_some());
        side.endpoints = alive;
        join_all(ended.into_iter().map(|endpoint| endpoint.close())).await;
        Ok(Some(Descriptors {
            before: side.descriptors_before,
            open,
            after: side.count_descriptors()?,
        }))
    }

    /// Stops the recording, attaches the captured tracks to each observed end, and returns the
    /// evidence.
    async fn finish(&mut self, ends: &mut [EndObservation]) -> Result<Evidence, LabError> {
        let mut evidence = Evidence {
            epoch: Translation::sample().epoch(),
            steps: self.step_log.take(),
            counters: self.baseline.rises(&self.shared.lab).await?,
            ..Evidence::default()
        };
        for node in self.shared.lab.nodes() {
            let changes = node.changes();
            let of_variant = |change: &NetworkChange| change.change.concerns(self.family());
            evidence
                .changes
                .extend(changes.items.into_iter().filter(of_variant));
            evidence.changes_cut += changes.cut;
        }
        if let Some(monitor) = &self.shared.context.drops {
            evidence.drops = Some(monitor.so_far(self.plan()));
        }
        evidence.changes.sort_by_key(|change| change.at);
        // The connections of one end are not closed before the recording of the other end has
        // stopped: segments sent by the close are not part of the case.
        for end in [End::Client, End::Server] {
            let (tracks, recorded) = self.pair(end).0.finish().await?;
            if let Some(observation) = ends.iter_mut().find(|observation| observation.end == end) {
                observation.neighbours = recorded.neighbours;
                observation.recording = recorded.recording;
                attach(observation, tracks, &self.ports, &self.refused);
            }
            evidence.sockets.extend(recorded.samples.items);
            evidence.sockets_cut += recorded.samples.cut;
            evidence.captures.push(Captured {
                node: end.node(),
                interface: self.shared.lab.uplink(end).name.to_owned(),
                frames: recorded.frames,
            });
        }
        evidence.sockets.sort_by_key(|sample| sample.at);
        Ok(evidence)
    }
}

/// Adds the captured track to each connection of an end.
fn attach(
    observation: &mut EndObservation,
    mut tracks: Tracks,
    ports: &[u16],
    refused: &BTreeMap<u16, (ErrnoName, Moment)>,
) {
    for (connection, port) in observation.connections.iter_mut().zip(ports) {
        match tracks.remove(port) {
            Some(track) => connection.track = track,
            // Without a route, not even a SYN is captured, so a missing track is correct here. In
            // all other cases a missing track is reported: an empty track would satisfy an
            // expectation of no probes.
            None if connection.unaccepted || refused.contains_key(port) => {}
            None => {
                let nothing = format!("no frame of the connection from port {port} was captured");
                observation.recording.broken_off.get_or_insert(nothing);
            }
        }
    }
}
