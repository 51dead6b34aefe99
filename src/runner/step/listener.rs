//! `listener` on the kernel: a server whose program is too busy to accept, and the filler
//! connections in its accept queue.

use std::future::pending;

use nix::sys::socket::{Backlog, listen};

use super::StepOutcome;
use crate::clock::sleep_until;
use crate::endpoint::socket;
use crate::lab::error::LabError;
use crate::model::{End, EndSettings, Moment, SERVER_PORT};
use crate::plan::FILLER_PORT;
use crate::runner::connect::Accepted;
use crate::runner::running::Accepts;
use crate::runner::running::Running;
use crate::step::Listener;
use crate::sys;

pub(super) async fn take(running: &mut Running, step: &Listener) -> StepOutcome {
    if let Some(backlog) = step.fill {
        running.fill_queue(backlog, step.fillers()).await?;
    }
    running.accepts = match step.duration {
        Some(time) => Accepts::From(Moment::now() + time),
        None => Accepts::Never,
    };
    Ok(Ok(()))
}

impl Running {
    /// Sets the backlog and fills the accept queue up to `places` connections. Connections that
    /// already wait in the queue count; only the remaining ones are opened.
    async fn fill_queue(&mut self, backlog: u8, places: u32) -> Result<(), LabError> {
        let Some(listener) = &self.listener else {
            return Ok(());
        };
        let failed =
            |source| LabError::at_socket(End::Server, "listen with another backlog", source);
        let size = Backlog::new(i32::from(backlog)).map_err(|errno| failed(errno.into()))?;
        listen(listener, size).map_err(|errno| failed(errno.into()))?;
        let waiting = sys::waiting_to_be_accepted(listener).map_err(failed)?;
        let budget = places.saturating_sub(waiting);
        let node = self.shared.lab.node(End::Client.node());
        let to = self.plan().socket_address(End::Server, SERVER_PORT);
        for (port, _) in (FILLER_PORT..).zip(0..budget) {
            let from = self.plan().socket_address(End::Client, port);
            let connected = socket::connect(node, from, to, &EndSettings::default()).await?;
            self.fillers.push(connected);
        }
        Ok(())
    }

    /// Whether the server accepts connections, now or later.
    pub(in crate::runner) fn accepts_on(&self) -> bool {
        self.listener.is_some() && self.accepts != Accepts::Never
    }

    /// Accepts the next connection, which may be one of the client or a filler. It waits forever if
    /// the server does not accept.
    pub(in crate::runner) async fn next_accepted(&self) -> Result<Accepted, LabError> {
        let Some(listener) = &self.listener else {
            return pending().await;
        };
        match self.accepts {
            Accepts::Always => {}
            Accepts::From(moment) => sleep_until(moment).await,
            Accepts::Never => return pending().await,
        }
        let accepted = listener.accept().await;
        accepted.map_err(|source| LabError::at_socket(End::Server, "accept a connection", source))
    }
}
