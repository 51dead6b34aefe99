//! `filter` on the kernel. Each family has its own rules, which match the headers of the family.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Filter, Step};

pub(super) async fn take(shared: &SharedLab, filter: &Filter, step: &Step) -> Result<(), LabError> {
    let node = shared.lab.node(filter.on);
    for view in shared.lab.views(step.family) {
        match filter.rule {
            Some(rule) => node.add_filter(rule, view.family()).await?,
            None => node.remove_filter(view.family()).await?,
        }
    }
    Ok(())
}
