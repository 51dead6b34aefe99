//! `neighbour` on the kernel.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Neighbour, NeighbourChange, Step};

pub(super) async fn take(
    shared: &SharedLab,
    neighbour: &Neighbour,
    step: &Step,
) -> Result<(), LabError> {
    let node = shared.lab.node(neighbour.on);
    for view in shared.lab.views(step.family) {
        let Some((link, address)) = view.plan.next_hop(neighbour.on, neighbour.to) else {
            continue;
        };
        match neighbour.change {
            NeighbourChange::Wrong => node.mistake_neighbour(link, address).await?,
            NeighbourChange::Remove | NeighbourChange::Restore => {
                node.forget_neighbour(link, address).await?;
            }
        }
    }
    Ok(())
}
