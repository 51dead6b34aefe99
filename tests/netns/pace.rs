//! Which trials may run beside each other.
//!
//! A trial that keeps the machine busy would make the kernel's answers late for one that is judged
//! by them.

use std::sync::{PoisonError, RwLock};

use libtest_mimic::{Failed, Trial};

static MACHINE: RwLock<()> = RwLock::new(());

/// A trial that mostly waits.
pub(crate) fn waiting(
    name: impl Into<String>,
    check: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> Trial {
    Trial::test(name, || {
        let _beside_others = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        check().map_err(failed)
    })
}

/// A trial that has the machine to itself: it is busy, or what it measures depends on nobody else
/// being so.
pub(crate) fn alone(
    name: impl Into<String>,
    check: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> Trial {
    Trial::test(name, || {
        let _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
        check().map_err(failed)
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where map_err wants a function"
)]
fn failed(error: anyhow::Error) -> Failed {
    format!("{error:#}").into()
}
