//! One case from an empty machine to its observation.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::side::Side;
use crate::clock::Moment;
use crate::lab::Lab;
use crate::lab::error::LabError;
use crate::outcome::Observation;
use crate::prepare::Prepared;
use crate::scenario::model::End;

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
    /// The client's ports, in the order of its connections.
    pub(super) ports: Vec<u16>,
    /// Kept open, as a server does.
    pub(super) _listener: TcpListener,
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
        if let Some(zero) = self.zero {
            return Ok(zero);
        }
        self.mark_counters().await?;
        let zero = Moment::now();
        self.zero = Some(zero);
        Ok(zero)
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
