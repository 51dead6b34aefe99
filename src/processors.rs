//! The processors of this machine, and who may run on which.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The numbers of those that this thread may use; none where the kernel does not say.
#[must_use]
pub fn processors() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..CpuSet::count())
        .filter(|processor| allowed.is_set(*processor).unwrap_or(false))
        .collect()
}

/// Restricts a thread, or a process of one thread and what it will start, to one processor. Zero is
/// the thread that asks.
///
/// # Errors
/// What `sched_setaffinity` returns.
pub(crate) fn restrict(thread: Pid, processor: usize) -> nix::Result<()> {
    let mut one = CpuSet::new();
    one.set(processor)?;
    sched_setaffinity(thread, &one)
}
