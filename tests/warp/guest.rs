//! Runs a job in a guest, in this process or in another.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use deadpeer::guest::{GuestError, GuestMachine, run};
use deadpeer::privilege;
use kernel_builder::{KernelSpec, find};
use tokio::runtime::Runtime;

/// The first argument with which this program runs a job and prints the result.
pub(crate) const MODE: &str = "--run-a-job";

/// The time limit, enough for any job that ends, on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The kernel of the tests: that in `HARNESS_KERNEL`, or the one in the user's cache.
pub(crate) fn kernel() -> PathBuf {
    match env::var_os("HARNESS_KERNEL") {
        Some(kernel) => PathBuf::from(kernel),
        None => find(KernelSpec::default(), privilege::home())
            .unwrap_or_else(|missing| panic!("{missing}")),
    }
}

/// The machine with this kernel.
pub(crate) fn machine() -> GuestMachine {
    GuestMachine::Uml { kernel: kernel() }
}

/// A runtime as the harness uses.
pub(crate) fn runtime() -> Runtime {
    Runtime::new().unwrap()
}

/// Runs a job in a guest.
pub(crate) fn answer(job: &[u8], limit: Duration) -> Result<Vec<u8>, GuestError> {
    runtime().block_on(run(&machine(), job, limit))
}

/// Runs a job in a guest, and writes the result to standard output.
pub(crate) fn inside(job: &str) -> ExitCode {
    match answer(job.as_bytes(), LIMIT) {
        Ok(answer) => {
            io::stdout().write_all(&answer).unwrap();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
