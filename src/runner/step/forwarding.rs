//! `forwarding` on the kernel.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Forwarding, Step};

pub(super) async fn take(
    shared: &SharedLab,
    forwarding: &Forwarding,
    step: &Step,
) -> Result<(), LabError> {
    let node = shared.lab.node(forwarding.on);
    for view in shared.lab.views(step.family) {
        node.set_forwarding(view.family(), forwarding.forwards)
            .await?;
    }
    Ok(())
}
