//! The limits of this process (getrlimit(2)): raised where that is possible, and named where work
//! does not fit in them.
//!
//! What has no room for a thread's stack or heap does not fail but ends the process, wherever it is
//! in its work. So these limits are looked at before it begins.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};

use nix::libc;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

/// What the first thread needs at most is a quarter of this, in a debug build.
const STACK: u64 = 1 << 20;

/// What systems give it.
const USUAL_STACK: u64 = 8 << 20;

/// What is mapped by a run of all that ships, and by the heaps of its threads: the C library
/// reserves 64 MB for each, and a run has two or three of them on each processor.
const ADDRESS_SPACE: u64 = 1 << 30;
const ADDRESS_SPACE_OF_A_PROCESSOR: u64 = 128 << 20;

/// Threads of the runtime, threads that watch for stalls, and those in namespaces: of which as many
/// work at once as cases are built.
const THREADS_OF_A_PROCESSOR: usize = 4;
const THREADS: usize = 4;

/// A limit that leaves no room for a run.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// The first thread would overflow it.
    #[error(
        "the stack may have no more than {} kB, and {} kB are needed\n  help: raise the limit (RLIMIT_STACK): ulimit -s {}",
        limit >> 10, STACK >> 10, USUAL_STACK >> 10
    )]
    Stack {
        /// In bytes.
        limit: u64,
    },
    /// An allocation would fail.
    #[error(
        "the address space may have no more than {} MB, and {} MB are needed\n  help: raise the limit (RLIMIT_AS): ulimit -v {}",
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
        /// How many a run needs.
        count: usize,
        /// The system's answer.
        source: io::Error,
    },
}

/// Gives the first thread the stack that it needs. To be called before anything else: the kernel
/// makes the stack larger when it is used.
///
/// # Errors
/// [`LimitError::Stack`] where the hard limit forbids it.
pub fn raise_stack_limit() -> Result<(), LimitError> {
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

/// Whether a run has room for its memory and its threads.
///
/// # Errors
/// [`LimitError`].
pub fn room_for_a_run() -> Result<(), LimitError> {
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

/// Starts so many threads, of which none ends before all have begun.
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

/// A lab takes about a dozen descriptors; the soft limit of 1024 is for programs that use
/// select(2).
pub fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it cannot be raised, the first open that goes beyond says so.
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok();
    }
}

/// The limit as it is, for a message; nothing where there is none.
fn now(resource: Resource) -> String {
    match getrlimit(resource) {
        Ok((limit, _)) if limit != RLIM_INFINITY => format!(" is {limit}"),
        _ => String::new(),
    }
}

/// What to do where a limit of the machine is reached, which many cases at once do; nothing where
/// an error is of another kind.
#[must_use]
pub fn advice(source: &io::Error) -> String {
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
        // create_user_ns and copy_net_ns, where inc_ucount refuses.
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
