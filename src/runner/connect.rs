//! Opening the connections as a step of the case.

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

/// How long the server may take to get a connection that the client has: one whose last
/// acknowledgement is lost is completed by the answer to the next SYN-ACK, a second later, or two.
const ACCEPTED: Duration = Duration::from_secs(4);

/// The client's port, what connect(2) said, and when.
type Opened = (u16, io::Result<TcpStream>, Moment);

/// The server's end of a connection, and whose it is.
pub(super) type Accepted = (TcpStream, SocketAddr);

impl Running {
    /// All at once. What cannot be opened is an outcome, and no error.
    pub(super) async fn connect(&mut self) -> Result<(), LabError> {
        self.baseline = Arc::new(CounterBaseline::read(&self.shared.lab).await?);
        self.zero = Some(Moment::now());
        let (opened, accepted) = self.open().await?;
        let witness = &self.shared.context.witness;
        for (port, said, at) in opened {
            match said {
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

    /// What connect said of each connection, and when; and what the server has accepted meanwhile.
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
            let (said, at) = opened;
            Ok::<_, LabError>((port, said, at))
        }));
        let mut accepted = Vec::new();
        let mut opening = pin!(opening);
        let mut over = pin!(self.watch_is_over());
        // A server that has accepted nothing for a time may have to, for the client to get through.
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

    /// Waits until everything is over that anybody watches. Nobody waits for a client that nobody
    /// watches, and that does nothing after it has connected.
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

    /// All that the client has, in its order.
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
