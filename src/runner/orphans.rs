//! Closes and destroys sockets, including orphans: sockets that their program has closed and that
//! the kernel still holds.

use std::net::SocketAddr;
use std::time::Duration;

use super::running::Running;
use crate::lab::diag::Diag;
use crate::lab::error::LabError;
use crate::model::{End, Linger, SERVER_PORT};

/// The time that a watch may take beyond its window.
const GRACE: Duration = Duration::from_secs(3);

/// A user timeout of this or more could outlast the eight retries of `tcp_orphan_retries`, which
/// take about 100 s.
const ORPHANS: Duration = Duration::from_secs(60);

impl Running {
    /// Closes the connections of an end, as its program does.
    pub(super) async fn close(&mut self, at: End, linger: Option<Linger>) -> Result<(), LabError> {
        let forgotten = self.forgotten();
        let endpoints: Vec<_> = self.pair(at).0.endpoints.drain(..).collect();
        for endpoint in endpoints {
            self.closed.push((at, endpoint.connection));
            let closed = endpoint.close_as_set(linger, forgotten).await;
            closed.map_err(|source| LabError::at_socket(at, "close a socket", source))?;
        }
        Ok(())
    }

    /// The time until this case has certainly ended. `None` in a guest, whose kernel stops with the
    /// case, and if the time is not below [`ORPHANS`].
    fn forgotten(&self) -> Option<Duration> {
        let duration = self.prepared.duration();
        let left = (self.established + duration).remaining() + duration / 4 + GRACE;
        let is_shared = self.shared.context.slot.is_some();
        (is_shared && left < ORPHANS).then_some(left)
    }

    /// Destroys the sockets of all connections of an end (`SOCK_DESTROY`).
    pub(super) async fn destroy(&self, at: End) -> Result<(), LabError> {
        for endpoint in &self.side(at).endpoints {
            self.destroy_one(at, endpoint.connection).await?;
        }
        Ok(())
    }

    /// Destroys the closed sockets that the kernel still holds: a socket whose FIN is never
    /// acknowledged would keep its namespace for minutes (`tcp_orphan_retries`). The recordings of
    /// all variants have ended by then. If the kernel cannot destroy sockets, the namespaces live
    /// for that time.
    pub(super) async fn destroy_orphans(&self) {
        for (at, port) in &self.closed {
            self.destroy_one(*at, *port).await.ok();
        }
    }

    async fn destroy_one(&self, at: End, connection: u16) -> Result<(), LabError> {
        let plan = self.plan();
        let port = |end| match end {
            End::Client => connection,
            End::Server => SERVER_PORT,
        };
        let own = plan.socket_address(at, port(at));
        let across = SocketAddr::new(plan.seen_address(at.peer()), port(at.peer()));
        let socket = Diag::open(self.shared.lab.node(at.node()), own, across).await?;
        match socket.destroy() {
            // The socket has ended meanwhile.
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOENT) => Ok(()),
            Err(error) if error.raw_os_error() == Some(nix::libc::EOPNOTSUPP) => {
                Err(LabError::MissingFeature {
                    feature: "destruction of sockets by the administrator",
                    option: "CONFIG_INET_DIAG_DESTROY",
                })
            }
            destroyed => destroyed.map_err(|source| {
                LabError::at_socket(at, "destroy a socket (SOCK_DESTROY)", source)
            }),
        }
    }
}
