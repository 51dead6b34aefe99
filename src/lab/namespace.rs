//! Anonymous network namespaces, each held by one file descriptor.
//!
//! A namespace has no name and no bind mount. The kernel destroys it when its last descriptor is
//! closed, however the process ends.
//!
//! A thread enters a namespace only for synchronous work that never waits for the runtime, so no
//! task runs in the wrong network. On a multi-threaded runtime, a new thread does this work and
//! ends afterwards: the system calls may block, and the worker threads of the runtime must stay
//! available to other tasks. On a single-threaded runtime, the current thread enters the namespace
//! and then returns to its own. (This is the case in a guest, which has one processor and where no
//! time passes during the work. A thread would only add cost there: twenty system calls each, a
//! fifth of all system calls of a case.)

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process;
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use super::error::LabError;

/// The network namespace of the thread that opens this path.
const OWN: &str = "/proc/thread-self/ns/net";

/// A network namespace; clones share it.
#[derive(Debug, Clone)]
pub struct Namespace {
    file: Arc<File>,
    label: Arc<str>,
}

impl Namespace {
    /// Creates a namespace and runs `first` inside it, on the same thread.
    ///
    /// # Errors
    /// [`LabError::Namespace`] if the kernel refuses (privileges, `user.max_net_namespaces`), or
    /// the error of `first`.
    pub async fn create<T, F>(label: &str, first: F) -> Result<(Self, T), LabError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, LabError> + Send + 'static,
    {
        let label: Arc<str> = label.into();
        let own_label = Arc::clone(&label);
        let failed = |doing, label: &str| {
            let node = label.to_owned();
            move |source| LabError::Namespace {
                doing,
                node,
                source,
            }
        };
        inside(&label, move || {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(io::Error::from)
                .map_err(failed("create", &own_label))?;
            let file = File::open(OWN).map_err(failed("open", &own_label))?;
            let namespace = Self {
                file: Arc::new(file),
                label: own_label,
            };
            Ok((namespace, first()?))
        })
        .await
    }

    /// Runs `work` inside the namespace.
    ///
    /// # Errors
    /// [`LabError::Namespace`] if the namespace cannot be entered, or the error of `work`.
    pub async fn run<T, F>(&self, work: F) -> Result<T, LabError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, LabError> + Send + 'static,
    {
        let namespace = self.clone();
        inside(&self.label, move || {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)
                .map_err(io::Error::from)
                .map_err(|source| LabError::Namespace {
                    doing: "enter",
                    node: namespace.label.to_string(),
                    source,
                })?;
            work()
        })
        .await
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Runs `work`, which enters a namespace and does not leave it.
async fn inside<T, F>(label: &str, work: F) -> Result<T, LabError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, LabError> + Send + 'static,
{
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => on_current_thread(label, work),
        _ => on_own_thread(label, work).await,
    }
}

/// Runs `work` on the current thread. The thread is back in its previous namespace when this
/// returns, even if `work` fails.
fn on_current_thread<T>(
    label: &str,
    work: impl FnOnce() -> Result<T, LabError>,
) -> Result<T, LabError> {
    let previous = File::open(OWN).map_err(|source| LabError::Namespace {
        doing: "save the current namespace before entering",
        node: label.to_owned(),
        source,
    })?;
    let _return_guard = ReturnGuard(previous);
    work()
}

/// Returns the thread to this network namespace on drop.
struct ReturnGuard(File);

impl Drop for ReturnGuard {
    fn drop(&mut self) {
        if let Err(errno) = setns(&self.0, CloneFlags::CLONE_NEWNET) {
            // All later work of this thread would happen in the wrong network namespace.
            let message = format!("cannot return to the previous network namespace: {errno}\n");
            io::stderr().write_all(message.as_bytes()).ok();
            process::abort();
        }
    }
}

/// Runs `work` on a new thread inside the caller's runtime context, so that it may register sockets
/// with the reactor.
async fn on_own_thread<T, F>(label: &str, work: F) -> Result<T, LabError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, LabError> + Send + 'static,
{
    let failed = |source| LabError::Namespace {
        doing: "start a thread in",
        node: label.to_owned(),
        source,
    };
    let runtime = Handle::current();
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new()
        .name(format!("in {label}"))
        .spawn(move || {
            let _context = runtime.enter();
            // The receiver is dropped only if the case was cancelled. The result is then not
            // needed.
            sender.send(work()).ok();
        })
        .map_err(failed)?;
    receiver
        .await
        .map_err(|_| failed(io::Error::other("the thread panicked")))?
}
