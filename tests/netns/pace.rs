//! Determines which trials may run in parallel.
//!
//! A trial that keeps the machine busy would delay the kernel's reactions in a trial that depends
//! on times.

use std::sync::{PoisonError, RwLock};

use libtest_mimic::{Failed, Trial};

static MACHINE: RwLock<()> = RwLock::new(());

/// A trial that mostly waits, and runs in parallel with others.
pub(crate) fn waiting(
    name: impl Into<String>,
    check: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> Trial {
    Trial::test(name, || {
        let _beside_others = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        check().map_err(failed)
    })
}

/// A trial that runs alone, because it keeps the machine busy or measures something that load would
/// change.
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
