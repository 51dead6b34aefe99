//! `lose` on the kernel. Each family has its own rules, which match the headers of the family.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Lose, Step};

pub(super) async fn take(shared: &SharedLab, lose: &Lose, step: &Step) -> Result<(), LabError> {
    let node = shared.lab.node(lose.on);
    for view in shared.lab.views(step.family) {
        let Some(loss) = &lose.loss else {
            node.remove_loss(lose.to, view.family()).await?;
            continue;
        };
        let own = view.plan.node(lose.on).into_iter();
        let interfaces = own.flat_map(|plan| &plan.interfaces);
        let names = interfaces.map(|interface| interface.name.clone());
        node.add_loss(loss, view.family(), names.collect()).await?;
    }
    Ok(())
}
