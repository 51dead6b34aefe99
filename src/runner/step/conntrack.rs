//! `conntrack` on the kernel.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Conntrack, ConntrackChange, Step};

pub(super) async fn take(
    shared: &SharedLab,
    conntrack: &Conntrack,
    _: &Step,
) -> Result<(), LabError> {
    let node = shared.lab.node(conntrack.on);
    match conntrack.change {
        ConntrackChange::Flush => node.forget_flows().await,
        ConntrackChange::SetTimeout(established) => node.remember_flows(established).await,
    }
}
