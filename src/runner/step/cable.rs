//! `cable` on the kernel.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Cable, CableChange, Step};

/// Waits until the link does not flap any more.
pub(super) async fn take(shared: &SharedLab, cable: &Cable, _: &Step) -> Result<(), LabError> {
    let link = shared.link(cable.side);
    let _idle = link.lock().await;
    match cable.change {
        CableChange::Pull => shared.lab.pull(cable.side).await,
        CableChange::Plug => shared.lab.plug(cable.side).await,
    }
}
