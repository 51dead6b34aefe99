//! Handles the signals that stop the harness: SIGINT (Ctrl-C), SIGTERM (`kill`), and SIGHUP (the
//! terminal is closed).

use std::fs;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that stop the harness. A signal that arrives while no task waits for it is not lost.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if SIGHUP was ignored when the harness was started, for example by nohup(1).
    hangup: Option<Signal>,
}

impl Signals {
    /// Installs the handlers. From then on, none of these signals terminates the process by itself.
    /// Must be called within a Tokio runtime.
    pub(super) fn listen() -> io::Result<Self> {
        let hangup = (!ignores_hangup()?).then(|| signal(SignalKind::hangup()));
        Ok(Self {
            hangup: hangup.transpose()?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next signal. Dropping the future before it completes loses no signal.
    pub(super) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hangup => {}
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Returns whether the process ignores SIGHUP, as inherited at its start: bit 0 of `SigIgn` in
/// `/proc/self/status` stands for signal 1 (proc_pid_status(5)).
fn ignores_hangup() -> io::Result<bool> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    Ok(mask.is_some_and(|mask| mask & 1 == 1))
}
