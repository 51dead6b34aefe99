//! Ctrl-C and `kill`, from the moment at which they are first listened to.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What asks the harness to stop. A signal that comes while nobody waits for it is not lost.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Must be called in a runtime. From here on, no signal of these ends the process by itself.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one; nothing is lost where this is given up.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
