//! Whose thread waits for the kernel's RTNL lock.
//!
//! A request to rtnetlink is worked off in the sender's own system call, under one lock of the
//! whole machine, and who takes down a hundred namespaces at once holds that for half a second
//! (`cleanup_net`). On the workers that watch the connections everything would stand
//! still meanwhile, and what the kernel has reported long ago would be seen late.

use tokio::runtime::{Builder, Handle, Runtime};

/// A thread for that alone.
#[derive(Debug)]
pub(super) struct Requests(Option<Runtime>);

impl Requests {
    /// Where there is no thread to be had, the workers wait themselves.
    pub(super) fn new() -> Self {
        let one = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rtnetlink")
            .enable_all()
            .build();
        Self(one.ok())
    }

    pub(super) fn handle(&self) -> Handle {
        let own = self.0.as_ref().map(Runtime::handle);
        own.cloned().unwrap_or_else(Handle::current)
    }
}

/// A runtime must not be waited for inside another one.
impl Drop for Requests {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
