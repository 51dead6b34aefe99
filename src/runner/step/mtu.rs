//! `mtu` on the kernel. The routes of all families use the same link.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Mtu, Step};

pub(super) async fn take(shared: &SharedLab, mtu: &Mtu, _: &Step) -> Result<(), LabError> {
    let node = shared.lab.node(mtu.on);
    if !mtu.icmp {
        node.silence_too_big().await?;
    }
    let mut views = shared.lab.views(None);
    match views.find_map(|view| view.plan.route(mtu.on, mtu.to)) {
        Some(route) => node.set_mtu(route.interface, u32::from(mtu.bytes)).await,
        None => Ok(()),
    }
}
