//! One case from an empty machine to its observation.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join};
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};

use super::side::{Side, count_open, inode};
use super::watch;
use crate::clock::Moment;
use crate::endpoint::{Endpoint, socket};
use crate::lab::Lab;
use crate::lab::error::LabError;
use crate::outcome::{ConnectionObservation, Descriptors, EndObservation, Observation};
use crate::plan::SERVER_PORT;
use crate::prepare::Prepared;
use crate::scenario::model::{End, Expectation, ExpectedOutcome};

/// How long traffic may take that nothing hinders: beyond any delay of a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// A case that is under way.
pub(super) struct Running {
    pub(super) prepared: Arc<Prepared>,
    pub(super) lab: Arc<Lab>,
    pub(super) client: Side,
    pub(super) server: Side,
    /// Set by the first fault.
    pub(super) zero: Option<Moment>,
    /// Hosts that come back from a reboot in their own time.
    pub(super) returns: JoinSet<Result<(), LabError>>,
    /// The sockets of each end, and how many descriptors of them were open at first.
    sockets: [Sockets; 2],
    /// The client's ports, in the order of its connections.
    ports: Vec<u16>,
    _listener: TcpListener,
}

#[derive(Default)]
struct Sockets {
    inodes: BTreeSet<u64>,
    before: usize,
}

/// Runs one case. Dropping the future at any moment takes everything down.
pub(super) async fn run(prepared: Arc<Prepared>) -> Result<Observation, LabError> {
    let begun = Moment::now();
    let mut running = Running::establish(prepared).await?;
    let setup = Moment::now().since(begun);
    let broken_step = running.take_steps().await?;
    let zero = running.settle_zero().await?;
    let ends = match broken_step {
        Some(_) => Vec::new(),
        None => running.observe(zero).await?,
    };
    Ok(Observation {
        setup,
        zero,
        ends,
        broken_step,
    })
}

impl Running {
    /// Builds the lab and opens the connections.
    async fn establish(prepared: Arc<Prepared>) -> Result<Self, LabError> {
        let connection = &prepared.case.connection;
        let lab = Arc::new(Lab::build(prepared.network.clone(), connection).await?);
        let address = lab.plan.address(End::Server);
        let (server_node, client_node) =
            (lab.node(End::Server.node()), lab.node(End::Client.node()));
        let ((client, server), listener) = try_join(
            try_join(Side::new(&lab, End::Client), Side::new(&lab, End::Server)),
            socket::listen(server_node, address, SERVER_PORT, &connection.server),
        )
        .await?;
        let mut sockets = [Sockets::default(), Sockets::default()];
        sockets[1].inodes.insert(
            inode(&listener)
                .map_err(|source| io_at(End::Server, "inspect the listener", source))?,
        );
        sockets[1].before = 1;
        let (mut client, mut server) = (client, server);
        let mut ports = Vec::new();
        for _ in 0..connection.count {
            let (connected, accepted) = try_join(
                socket::connect(client_node, address, SERVER_PORT, &connection.client),
                async {
                    listener
                        .accept()
                        .await
                        .map_err(|source| io_at(End::Server, "accept a connection", source))
                },
            )
            .await?;
            let port = accepted.1.port();
            ports.push(port);
            for (end, stream) in [(End::Client, &connected), (End::Server, &accepted.0)] {
                let inode =
                    inode(stream).map_err(|source| io_at(end, "inspect a socket", source))?;
                sockets[end as usize].inodes.insert(inode);
            }
            client.endpoints.push(Endpoint::new(connected, port));
            server.endpoints.push(Endpoint::new(accepted.0, port));
        }
        Ok(Self {
            prepared: Arc::clone(&prepared),
            lab,
            client,
            server,
            zero: None,
            returns: JoinSet::new(),
            sockets,
            ports,
            _listener: listener,
        })
    }

    /// Both ends, the first being `end`.
    pub(super) fn pair(&mut self, end: End) -> (&mut Side, &mut Side) {
        match end {
            End::Client => (&mut self.client, &mut self.server),
            End::Server => (&mut self.server, &mut self.client),
        }
    }

    pub(super) fn side(&self, end: End) -> &Side {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    /// Marks the counters at both ends, before the first fault.
    pub(super) async fn mark_counters(&mut self) -> Result<(), LabError> {
        try_join(
            self.client.mark_counters(&self.lab),
            self.server.mark_counters(&self.lab),
        )
        .await?;
        Ok(())
    }

    /// The zero of the case's times: the first fault, or the end of the last step where there was none.
    async fn settle_zero(&mut self) -> Result<Moment, LabError> {
        if self.zero.is_none() {
            self.mark_counters().await?;
            self.zero = Some(Moment::now());
        }
        Ok(self.zero.unwrap_or_else(Moment::now))
    }

    /// Watches until every end has its outcome, or its time is over.
    async fn observe(mut self, zero: Moment) -> Result<Vec<EndObservation>, LabError> {
        let prepared = Arc::clone(&self.prepared);
        let mut returns = std::mem::take(&mut self.returns);
        let watched = {
            let ends = prepared.observed().map(|(end, expectation)| {
                let side = self.side(end);
                watch::end(side, expectation, prepared.window(end), zero)
            });
            let watching = join_all(ends);
            tokio::pin!(watching);
            loop {
                tokio::select! {
                    watched = &mut watching => break watched,
                    Some(returned) = returns.join_next() => host_is_back(returned)?,
                }
            }
        };
        let exchanged = self.prove_survivors().await;
        let mut ends = Vec::new();
        for ((end, expectation), watched) in prepared.observed().zip(watched) {
            let counters = self.side(end).counter_rises(&self.lab).await?;
            let further = exchanged.clone();
            let connections = self
                .side(end)
                .endpoints
                .iter()
                .map(|endpoint| ConnectionObservation {
                    ended: endpoint.ended(),
                    further_exchange: match expectation.outcome {
                        ExpectedOutcome::Survives(_) => further.clone(),
                        ExpectedOutcome::Error(_) => None,
                    },
                    track: crate::wire::Track::default(),
                })
                .collect();
            let descriptors = self.reclaim(end, expectation)?;
            ends.push(EndObservation {
                end,
                connections,
                counters,
                descriptors,
                stall: watched.stall,
                watched_until: watched.until,
            });
        }
        self.attach_tracks(&mut ends).await;
        Ok(ends)
    }

    /// A further exchange on every connection, if an end expects to survive.
    async fn prove_survivors(&mut self) -> Option<Result<(), String>> {
        let survivor = self
            .prepared
            .observed()
            .find(|(_, expectation)| matches!(expectation.outcome, ExpectedOutcome::Survives(_)))?;
        let end = survivor.0;
        let (from, to) = self.pair(end);
        if from
            .endpoints
            .iter()
            .any(|endpoint| endpoint.ended().is_some())
        {
            return None;
        }
        let exchange = super::steps::exchange(from, to, b"are you still there?");
        Some(match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        })
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
        let failed = |source| io_at(end, "count open descriptors", source);
        let open = count_open(&self.sockets[end as usize].inodes).map_err(failed)?;
        let (side, _) = self.pair(end);
        side.endpoints.retain(|endpoint| endpoint.ended().is_none());
        let Sockets { inodes, before } = &self.sockets[end as usize];
        let after = count_open(inodes).map_err(failed)?;
        Ok(Some(Descriptors {
            before: *before,
            open,
            after,
        }))
    }

    async fn attach_tracks(self, ends: &mut [EndObservation]) {
        for side in [self.client, self.server] {
            let end = side.end;
            let mut tracks = side.finish_capture().await;
            if let Some(observation) = ends.iter_mut().find(|observation| observation.end == end) {
                for (connection, port) in observation.connections.iter_mut().zip(&self.ports) {
                    connection.track = tracks.remove(port).unwrap_or_default();
                }
            }
        }
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

/// A lab error about an ordinary socket call.
pub(super) fn io_at(end: End, doing: &str, source: std::io::Error) -> LabError {
    LabError::Socket {
        doing: doing.to_owned(),
        node: end.to_string(),
        source,
    }
}
