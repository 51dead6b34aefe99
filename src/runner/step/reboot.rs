//! `reboot` on the kernel, first part: silences the host. Then each variant discards its sockets,
//! and a background task lets the host return when it is due (`steps.rs`).

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Reboot, Step};

pub(super) async fn take(shared: &SharedLab, reboot: &Reboot, _: &Step) -> Result<(), LabError> {
    shared.silence(reboot.host).await
}
