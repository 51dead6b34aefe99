//! `crash` on the kernel.

use crate::lab::error::LabError;
use crate::runner::shared::SharedLab;
use crate::step::{Crash, Step};

pub(super) async fn take(shared: &SharedLab, crash: &Crash, _: &Step) -> Result<(), LabError> {
    shared.silence(crash.host).await
}
