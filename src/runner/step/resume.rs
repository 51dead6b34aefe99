//! `resume` on the kernel.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{HardwareAddress, Resume, Step};

pub(super) async fn take(shared: &SharedLab, resume: &Resume, _: &Step) -> Result<(), LabError> {
    let heard = shared
        .lab
        .unsilence(resume.host, HardwareAddress::Kept)
        .await?;
    shared.host(resume.host).blackout.end(heard);
    Ok(())
}
