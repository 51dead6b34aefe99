//! `process` on the kernel.

use super::StepOutcome;
use crate::model::End;
use crate::runner::running::Running;
use crate::step::{Process, Signal};

pub(super) async fn take(running: &mut Running, step: &Process) -> StepOutcome {
    let at = step.at;
    let reads = match step.signal {
        Signal::Kill => {
            if at == End::Server {
                running.listener = None;
            }
            // A process that exits does not linger (inet_release: PF_EXITING). Only a linger time
            // of zero has an effect: the close sends a RST.
            let linger = running.prepared.case.connection.end(at).linger;
            let linger = linger.filter(|linger| linger.resets());
            running.close(at, linger).await?;
            return Ok(Ok(()));
        }
        Signal::Stop => false,
        Signal::Continue => true,
    };
    let endpoints = running.side(at).endpoints.iter();
    endpoints.for_each(|endpoint| endpoint.read_on(reads));
    Ok(Ok(()))
}
