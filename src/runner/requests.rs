//! The thread that waits for the kernel's RTNL lock.
//!
//! The kernel processes an rtnetlink request in the system call of the sender, under one lock of
//! the whole machine. The teardown of a hundred namespaces holds that lock for half a second
//! (`cleanup_net`). If the worker threads that watch the connections made these requests, they
//! would block meanwhile, and the harness would see events late that the kernel has reported long
//! before.

use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime with one thread for rtnetlink requests.
#[derive(Debug)]
pub(super) struct Requests(Option<Runtime>);

impl Requests {
    /// Starts the thread. If that fails, the worker threads make the requests.
    pub(super) fn new() -> Self {
        let one = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rtnetlink")
            .enable_all()
            .build();
        Self(one.ok())
    }

    /// The runtime on which rtnetlink requests are made.
    pub(super) fn handle(&self) -> Handle {
        let own = self.0.as_ref().map(Runtime::handle);
        own.cloned().unwrap_or_else(Handle::current)
    }
}

/// Shuts down without waiting: a runtime must not be waited for inside another one.
impl Drop for Requests {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
