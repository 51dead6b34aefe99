//! The processors of this machine, and the affinity of threads.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The numbers of the processors that this thread may use; empty if the kernel does not report
/// them.
#[must_use]
pub(crate) fn processors() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..CpuSet::count())
        .filter(|processor| allowed.is_set(*processor).unwrap_or(false))
        .collect()
}

/// Restricts a thread, and the threads and processes that it starts later, to one processor. Zero
/// is the calling thread.
///
/// # Errors
/// The error of `sched_setaffinity`.
pub(crate) fn restrict(thread: Pid, processor: usize) -> nix::Result<()> {
    let mut one = CpuSet::new();
    one.set(processor)?;
    sched_setaffinity(thread, &one)
}
