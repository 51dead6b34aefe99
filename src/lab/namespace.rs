//! Anonymous network namespaces, each held by one file descriptor.
//!
//! Nothing is bind-mounted and nothing is named: when the last descriptor is closed, however the process ends, the kernel takes the
//! namespace back. A namespace is entered only by threads that exist for that and end afterwards; a runtime's worker never enters
//! one, so no task can find itself in the wrong network.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use tokio::sync::oneshot;

use super::error::LabError;

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
    /// [`LabError::Namespace`] where the kernel refuses (privileges, `user.max_net_namespaces`), or what `first` returns.
    pub async fn create<T, F>(label: &str, first: F) -> Result<(Self, T), LabError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, LabError> + Send + 'static,
    {
        let label: Arc<str> = label.into();
        let inside = Arc::clone(&label);
        let failed = |doing, label: &str| {
            let node = label.to_owned();
            move |source| LabError::Namespace {
                doing,
                node,
                source,
            }
        };
        on_own_thread(&label, move || {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(io::Error::from)
                .map_err(failed("create", &inside))?;
            let file = File::open("/proc/thread-self/ns/net").map_err(failed("open", &inside))?;
            let namespace = Self {
                file: Arc::new(file),
                label: inside,
            };
            Ok((namespace, first()?))
        })
        .await
    }

    /// Runs `work` inside the namespace, on a thread of its own.
    ///
    /// # Errors
    /// [`LabError::Namespace`] if the namespace cannot be entered, or what `work` returns.
    pub async fn run<T, F>(&self, work: F) -> Result<T, LabError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, LabError> + Send + 'static,
    {
        let namespace = self.clone();
        on_own_thread(&self.label, move || {
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

/// Runs `work` on a new thread inside the caller's runtime context, so that it may register sockets with the reactor.
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
    let runtime = tokio::runtime::Handle::current();
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new()
        .name(format!("in {label}"))
        .spawn(move || {
            let _context = runtime.enter();
            // The receiver is gone only when the case was cancelled, and then nobody misses the answer.
            sender.send(work()).ok();
        })
        .map_err(failed)?;
    receiver
        .await
        .map_err(|_| failed(io::Error::other("the thread panicked")))?
}
