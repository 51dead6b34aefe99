//! `reboot` on the kernel: its first part. The sockets of each variant go after it, and then, in
//! its own time, the host comes back.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Reboot, Step};

pub(super) async fn take(shared: &SharedLab, reboot: &Reboot, _: &Step) -> Result<(), LabError> {
    shared.silence(reboot.host).await
}
