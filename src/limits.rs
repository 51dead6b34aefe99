//! The resource limits of this process (getrlimit(2)): raises them if possible, and reports the
//! limit that is too low for the work.
//!
//! If the stack or the heap of a thread exceeds a limit, the operation does not return an error:
//! the process ends at that point. Therefore these limits are checked before a run begins.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};

use nix::libc;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

/// The required stack of the first thread, in bytes. A debug build uses at most a quarter of it.
const STACK: u64 = 1 << 20;

/// The usual stack limit, in bytes.
const USUAL_STACK: u64 = 8 << 20;

/// The address space that a run of all shipped scenarios maps, in bytes.
const ADDRESS_SPACE: u64 = 1 << 30;
/// The additional address space for each processor, in bytes: the C library reserves 64 MB for the
/// heap of each thread, and a run has two or three threads for each processor.
const ADDRESS_SPACE_OF_A_PROCESSOR: u64 = 128 << 20;

/// The threads for each processor: a worker of the runtime, a thread that watches for stalls, and
/// threads in namespaces, two for each processor as the number of cases under construction.
const THREADS_OF_A_PROCESSOR: usize = 4;
/// The additional threads of a run.
const THREADS: usize = 4;

/// A limit that is too low for a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LimitError {
    /// The first thread would overflow its stack.
    #[error(
        "the stack is limited to {} kB, but {} kB are needed\n  help: raise the limit (RLIMIT_STACK): ulimit -s {}",
        limit >> 10, STACK >> 10, USUAL_STACK >> 10
    )]
    Stack {
        /// In bytes.
        limit: u64,
    },
    /// An allocation would fail.
    #[error(
        "the address space is limited to {} MB, but {} MB are needed\n  help: raise the limit (RLIMIT_AS): ulimit -v {}",
        limit >> 20, needed >> 20, needed >> 10
    )]
    AddressSpace {
        /// In bytes.
        limit: u64,
        /// In bytes.
        needed: u64,
    },
    /// The runtime would panic.
    #[error(
        "cannot start {count} threads: {source}\n  help: raise the limit of the user's processes and threads (RLIMIT_NPROC{}, ulimit -u), \
         sysctl kernel.threads-max, or the pids.max of a control group",
        now(Resource::RLIMIT_NPROC)
    )]
    Threads {
        /// The number of threads that a run needs.
        count: usize,
        /// The error of the system.
        source: io::Error,
    },
}

/// Raises the soft limit of the stack to the size that the first thread needs. It must be called
/// before anything else; it takes effect because the kernel grows the stack on demand.
///
/// # Errors
/// [`LimitError::Stack`] if the hard limit is too low.
pub(crate) fn raise_stack_limit() -> Result<(), LimitError> {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_STACK) else {
        return Ok(());
    };
    if soft >= STACK {
        return Ok(());
    }
    let raised = hard.min(USUAL_STACK);
    if raised < STACK || setrlimit(Resource::RLIMIT_STACK, raised, hard).is_err() {
        return Err(LimitError::Stack { limit: hard });
    }
    Ok(())
}

/// Checks that the limits suffice for the address space and the threads of a run.
///
/// # Errors
/// [`LimitError`].
pub(crate) fn room_for_a_run() -> Result<(), LimitError> {
    let processors = available_parallelism().map_or(1, NonZeroUsize::get);
    let needed = ADDRESS_SPACE + processors as u64 * ADDRESS_SPACE_OF_A_PROCESSOR;
    match getrlimit(Resource::RLIMIT_AS) {
        Ok((limit, _)) if limit < needed => {
            return Err(LimitError::AddressSpace { limit, needed });
        }
        _ => {}
    }
    let count = THREADS + processors * THREADS_OF_A_PROCESSOR;
    start_at_once(count).map_err(|source| LimitError::Threads { count, source })
}

/// Starts this number of threads. No thread ends before all have started.
fn start_at_once(count: usize) -> io::Result<()> {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let _closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = || drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
        (0..count).try_for_each(|_| {
            thread::Builder::new().spawn_scoped(scope, wait)?;
            Ok(())
        })
    })
}

/// Raises the soft limit of open files to the hard limit. A lab needs about a dozen descriptors;
/// the usual soft limit of 1024 exists for programs that use select(2).
pub(crate) fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // If this fails, the first open(2) beyond the limit returns an error.
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok();
    }
}

/// The current limit as text for a message; empty if there is no limit.
fn now(resource: Resource) -> String {
    match getrlimit(resource) {
        Ok((limit, _)) if limit != RLIM_INFINITY => format!(" is {limit}"),
        _ => String::new(),
    }
}

/// The help text for an error that means that a limit of the machine is reached, for example by
/// many concurrent cases; empty for other errors.
#[must_use]
pub(crate) fn advice(source: &io::Error) -> String {
    let raise = match source.raw_os_error() {
        Some(libc::EMFILE) => {
            format!(
                "raise the number of open files that a process may have (RLIMIT_NOFILE{}, ulimit -Hn)",
                now(Resource::RLIMIT_NOFILE)
            )
        }
        Some(libc::ENFILE) => {
            "raise the number of open files of the machine (sysctl fs.file-max)".to_owned()
        }
        // create_user_ns and copy_net_ns return these if inc_ucount fails.
        Some(libc::ENOSPC | libc::EUSERS) => {
            "raise the number of namespaces that a user may have (sysctl user.max_net_namespaces)"
                .to_owned()
        }
        Some(libc::EAGAIN) => {
            format!(
                "raise the number of threads (RLIMIT_NPROC{}, ulimit -u, sysctl kernel.threads-max, a container's pids limit)",
                now(Resource::RLIMIT_NPROC)
            )
        }
        Some(libc::ENOMEM | libc::ENOBUFS) => "give the machine more memory".to_owned(),
        _ => return String::new(),
    };
    format!("\n  help: run fewer cases at once (-j), or {raise}")
}
