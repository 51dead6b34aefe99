//! `socket` on the kernel.

use std::io;

use super::StepOutcome;
use crate::runner::running::Hindrance;
use crate::runner::running::Running;
use crate::step::{Socket, SocketAct};

pub(super) async fn take(running: &mut Running, step: &Socket) -> StepOutcome {
    let at = step.at;
    match step.act {
        SocketAct::Close => {
            let linger = running.prepared.case.connection.end(at).linger;
            running.close(at, linger).await?;
        }
        SocketAct::Abort => {
            for endpoint in running.pair(at).0.endpoints.drain(..) {
                endpoint.close().await;
            }
        }
        SocketAct::Shutdown => {
            for endpoint in &running.side(at).endpoints {
                match endpoint.shut_down() {
                    Ok(()) => {}
                    // The connection has ended, and its reader is about to see the error.
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                        return Ok(Err(Hindrance::Over(running.over(at))));
                    }
                    Err(error) => return Ok(Err(Hindrance::Broken(error.to_string()))),
                }
            }
        }
        SocketAct::Destroy => running.destroy(at).await?,
    }
    Ok(Ok(()))
}
