//! `impair` on the kernel. When the impairment ends, the packets in its queue are lost.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Impair, Step};

pub(super) async fn take(shared: &SharedLab, impair: &Impair, _: &Step) -> Result<(), LabError> {
    let node = shared.lab.node(impair.at.node());
    let link = shared.lab.uplink(impair.at).index;
    match &impair.impairment {
        Some(impairment) => node.impair(link, impairment).await,
        None => node.reset_queue(link).await,
    }
}
