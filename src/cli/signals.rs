//! Ctrl-C, `kill` and a terminal that is closed, from the moment at which they are first listened
//! to.

use std::fs;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What asks the harness to stop. A signal that comes while nobody waits for it is not lost.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` where whoever started the harness has it ignored, as nohup(1) does.
    hangup: Option<Signal>,
}

impl Signals {
    /// Must be called in a runtime. From here on, no signal of these ends the process by itself.
    pub(super) fn listen() -> io::Result<Self> {
        let hangup = (!ignores_hangup()?).then(|| signal(SignalKind::hangup()));
        Ok(Self {
            hangup: hangup.transpose()?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one; nothing is lost where this is given up.
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

/// Whether SIGHUP was ignored when the process began (proc_pid_status(5)): bit 0 of the mask is
/// signal 1.
fn ignores_hangup() -> io::Result<bool> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    Ok(mask.is_some_and(|mask| mask & 1 == 1))
}
