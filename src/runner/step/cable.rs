//! `cable` on the kernel.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Cable, CableChange, Step};

pub(super) async fn take(shared: &SharedLab, cable: &Cable, _: &Step) -> Result<(), LabError> {
    match cable.change {
        CableChange::Pull => shared.lab.pull(cable.side).await,
        CableChange::Plug => shared.lab.plug(cable.side).await,
    }
}
