//! Opens the connections as a step of the case.

use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::net::TcpStream;

use super::baseline::CounterBaseline;
use super::running::Accepts;
use super::running::Running;
use crate::clock::sleep_until;
use crate::endpoint::{Endpoint, socket};
use crate::lab::error::LabError;
use crate::model::{End, ErrnoName, Moment, SERVER_PORT};

/// How long the server may take to accept a connection that is open at the client. If the last ACK
/// of the handshake is lost, the answer to the next SYN-ACK completes the connection, one or two
/// seconds later.
const ACCEPTED: Duration = Duration::from_secs(4);

/// The client's port, the result of connect(2), and when it returned.
type Opened = (u16, io::Result<TcpStream>, Moment);

/// An accepted connection at the server, and the address of its peer.
pub(super) type Accepted = (TcpStream, SocketAddr);

impl Running {
    /// Opens all connections at the same time. A connection that cannot be opened is an outcome of
    /// the case, not an error.
    pub(super) async fn connect(&mut self) -> Result<(), LabError> {
        self.baseline = Arc::new(CounterBaseline::read(&self.shared.lab).await?);
        self.zero = Some(Moment::now());
        let (opened, accepted) = self.open().await?;
        let witness = &self.shared.context.witness;
        for (port, result, at) in opened {
            match result {
                Ok(stream) => {
                    self.client.add_socket(&stream)?;
                    self.client
                        .endpoints
                        .push(Endpoint::new(stream, port, witness));
                }
                Err(error) => match error.raw_os_error() {
                    Some(raw) => {
                        self.refused.insert(port, (ErrnoName::from_raw(raw), at));
                    }
                    None => return Err(LabError::at_socket(End::Client, "connect", error)),
                },
            }
        }
        self.accept(accepted).await
    }

    /// Returns the result of connect(2) for each connection, with its time, and the connections
    /// that the server has accepted meanwhile.
    async fn open(&self) -> Result<(Vec<Opened>, Vec<Accepted>), LabError> {
        let lab = &self.shared.lab;
        let node = lab.node(End::Client.node());
        let plan = self.plan();
        let to = plan.socket_address(End::Server, SERVER_PORT);
        let settings = &self.prepared.case.connection.client;
        let witness = &self.shared.context.witness;
        let opening = try_join_all(self.ports.iter().map(|&port| async move {
            let from = plan.socket_address(End::Client, port);
            let opened = socket::try_connect(node, from, to, settings, witness).await?;
            let (result, at) = opened;
            Ok::<_, LabError>((port, result, at))
        }));
        let mut accepted = Vec::new();
        let mut opening = pin!(opening);
        let mut over = pin!(self.watch_is_over());
        // The server accepts at the same time: the client may not be able to connect while the
        // accept queue is full.
        let opened = loop {
            tokio::select! {
                biased;
                opened = &mut opening => break opened?,
                () = &mut over => break Vec::new(),
                next = self.next_accepted() => accepted.push(next?),
            }
        };
        Ok((opened, accepted))
    }

    /// Waits until the time of the expectation is over, if only the server is observed, its
    /// expectation has a fixed duration, and `connect` is the last step. Otherwise it waits
    /// forever. An unobserved client that does nothing after connect(2) needs no longer wait.
    async fn watch_is_over(&self) {
        let case = &self.prepared.case;
        let is_last = (case.steps.last()).is_some_and(|step| step.action.opens());
        let longest = self.prepared.observed().map(|(end, expectation)| {
            (expectation.outcome.lasts()).filter(|_| is_last && end == End::Server)
        });
        let longest: Option<Vec<Duration>> = longest.collect();
        match (longest.and_then(|times| times.into_iter().max()), self.zero) {
            (Some(time), Some(zero)) => sleep_until(zero + time).await,
            _ => pending().await,
        }
    }

    /// Accepts every connection that is open at the client, and stores them in the order of the
    /// client's ports. Connections of other ports are fillers of the accept queue.
    async fn accept(&mut self, mut accepted: Vec<Accepted>) -> Result<(), LabError> {
        if let Accepts::From(moment) = self.accepts {
            sleep_until(moment).await;
        }
        let ours = |(_, peer): &&Accepted| self.ports.contains(&peer.port());
        while accepted.iter().filter(ours).count() < self.client.endpoints.len()
            && self.accepts_on()
        {
            match tokio::time::timeout(ACCEPTED, self.next_accepted()).await {
                Ok(next) => accepted.push(next?),
                Err(_) => break,
            }
        }
        for (stream, peer) in accepted {
            if self.ports.contains(&peer.port()) {
                self.server.add_socket(&stream)?;
                let endpoint = Endpoint::new(stream, peer.port(), &self.shared.context.witness);
                self.server.endpoints.push(endpoint);
            } else {
                self.fillers.push(stream);
            }
        }
        let endpoints = &mut self.server.endpoints;
        endpoints.sort_by_key(|endpoint| endpoint.connection);
        let accepted: BTreeSet<u16> = endpoints
            .iter()
            .map(|accepted| accepted.connection)
            .collect();
        let ports = self.ports.iter().copied();
        self.unaccepted = ports.filter(|port| !accepted.contains(port)).collect();
        Ok(())
    }
}
