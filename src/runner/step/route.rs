//! `route` on the kernel.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Route, Step};

pub(super) async fn take(shared: &SharedLab, route: &Route, step: &Step) -> Result<(), LabError> {
    for view in shared.lab.views(step.family) {
        view.renew_route(route.on, route.to).await?;
    }
    Ok(())
}
