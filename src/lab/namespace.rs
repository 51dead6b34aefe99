//! Anonymous network namespaces, each held by one file descriptor.
//!
//! Nothing is bind-mounted and nothing is named: when the last descriptor is closed, however the
//! process ends, the kernel takes the namespace back. A namespace is entered only for work that
//! never waits for the runtime, so no task can find itself in the wrong network: by threads that
//! exist for that and end afterwards, because the kernel may take its time, and a runtime's workers
//! are there for others meanwhile; or, where the runtime is one thread, by that thread, which
//! leaves again. (A guest has one processor, and no time passes on it. There a thread would only
//! cost: twenty system calls each, a fifth of all that a case makes.)

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

/// The namespace of the thread that opens it.
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
    /// [`LabError::Namespace`] where the kernel refuses (privileges, `user.max_net_namespaces`), or
    /// what `first` returns.
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
    /// [`LabError::Namespace`] if the namespace cannot be entered, or what `work` returns.
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

/// Runs work that enters a namespace, and does not leave it.
async fn inside<T, F>(label: &str, work: F) -> Result<T, LabError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, LabError> + Send + 'static,
{
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => there_and_back(label, work),
        _ => on_own_thread(label, work).await,
    }
}

/// Runs `work` on this thread, which is where it was before when this returns, whatever the work
/// comes to.
fn there_and_back<T>(
    label: &str,
    work: impl FnOnce() -> Result<T, LabError>,
) -> Result<T, LabError> {
    let home = File::open(OWN).map_err(|source| LabError::Namespace {
        doing: "leave its own namespace for",
        node: label.to_owned(),
        source,
    })?;
    let _way_back = WayBack(home);
    work()
}

/// Where the thread returns to when this is dropped.
struct WayBack(File);

impl Drop for WayBack {
    fn drop(&mut self) {
        if let Err(errno) = setns(&self.0, CloneFlags::CLONE_NEWNET) {
            // Whatever it did from now on, it would do in the wrong network.
            let message = format!("cannot return to the network namespace of before: {errno}\n");
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
            // The receiver is gone only when the case was cancelled, and then nobody misses the
            // answer.
            sender.send(work()).ok();
        })
        .map_err(failed)?;
    receiver
        .await
        .map_err(|_| failed(io::Error::other("the thread panicked")))?
}
