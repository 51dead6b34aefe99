//! `blackhole` on the kernel. Each family has its own rules, which match the headers of the family.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Blackhole, Step};

pub(super) async fn take(
    shared: &SharedLab,
    blackhole: &Blackhole,
    step: &Step,
) -> Result<(), LabError> {
    let node = shared.lab.node(blackhole.on);
    for view in shared.lab.views(step.family) {
        let own = view.plan.node(blackhole.on).into_iter();
        let interfaces = own.flat_map(|plan| &plan.interfaces);
        let names: Vec<String> = interfaces.map(|interface| interface.name.clone()).collect();
        for loss in blackhole.losses() {
            if blackhole.drops {
                node.add_loss(&loss, view.family(), names.clone()).await?;
            } else {
                node.remove_loss(loss.to, view.family()).await?;
            }
        }
    }
    Ok(())
}
