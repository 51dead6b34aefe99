//! Opening the connections as a step of the case.

use std::time::Duration;

use futures::future::join_all;

use super::case::{Running, io_at};
use super::marks::Marks;
use crate::clock::Moment;
use crate::endpoint::{Endpoint, socket};
use crate::errno::ErrnoName;
use crate::lab::error::LabError;
use crate::plan::SERVER_PORT;
use crate::scenario::model::End;

/// How long the server may take to get a connection that the client has: one whose last acknowledgement is lost is completed by the
/// answer to the next SYN-ACK, a second later, or two.
const ACCEPTED: Duration = Duration::from_secs(4);

impl Running {
    /// All at once. What cannot be opened is an outcome, and no error.
    pub(super) async fn connect(&mut self) -> Result<(), LabError> {
        self.marks = Marks::read(&self.lab).await?;
        self.zero = Some(Moment::now());
        let lab = &self.lab;
        let node = lab.node(End::Client.node());
        let to = lab.plan.socket_address(End::Server, SERVER_PORT);
        let settings = &self.prepared.case.connection.client;
        let opened = join_all(self.ports.iter().map(|&port| async move {
            let from = lab.plan.socket_address(End::Client, port);
            let opened = socket::try_connect(node, from, to, settings).await?;
            Ok::<_, LabError>((port, opened, Moment::now()))
        }));
        for opened in opened.await {
            let (port, opened, at) = opened?;
            match opened {
                Ok(stream) => {
                    self.client.add_socket(&stream)?;
                    self.client.endpoints.push(Endpoint::new(stream, port));
                }
                Err(error) => match error.raw_os_error() {
                    Some(raw) => {
                        self.refused.insert(port, (ErrnoName::from_raw(raw), at));
                    }
                    None => return Err(io_at(End::Client, "connect", error)),
                },
            }
        }
        self.accept().await
    }

    /// In the order in which the client's are.
    async fn accept(&mut self) -> Result<(), LabError> {
        let Some(listener) = &self.listener else {
            return Ok(());
        };
        for _ in 0..self.client.endpoints.len() {
            let Ok(accepted) = tokio::time::timeout(ACCEPTED, listener.accept()).await else {
                break;
            };
            let (stream, peer) =
                accepted.map_err(|source| io_at(End::Server, "accept a connection", source))?;
            self.server.add_socket(&stream)?;
            let endpoint = Endpoint::new(stream, peer.port());
            self.server.endpoints.push(endpoint);
        }
        let endpoints = &mut self.server.endpoints;
        endpoints.sort_by_key(|endpoint| endpoint.connection);
        Ok(())
    }
}
