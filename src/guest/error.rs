//! The error of a guest that sent no result.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::modules::ModuleError;
use super::qemu::PROGRAM;
use crate::limits::advice;
use crate::text::plural;

/// A guest sent no result. Contains the last lines of its console.
#[derive(Debug, thiserror::Error)]
#[error("guest kernel {}: {failure}{}", kernel.display(), quoted(console))]
pub struct GuestError {
    /// The kernel of the guest.
    pub(crate) kernel: PathBuf,
    /// The reason.
    #[source]
    pub failure: Failure,
    /// The last lines of the guest's console; empty if the guest wrote none.
    pub console: String,
}

/// The reason why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// This program, its libraries or the job could not be packed into an initramfs.
    #[error("cannot pack this program for the guest: {0}{help}", help = advice(.0))]
    Image(io::Error),
    /// The available memory of the machine, or of this process's control group, is too small for
    /// this number of concurrent guests.
    #[error(
        "not enough memory for {}: {needed} MB needed, {free} MB available{}",
        plural(*guests, "guest"), fewer(*.possible)
    )]
    NoRoom {
        /// The number of concurrent guests.
        guests: usize,
        /// The memory that they need, in MB.
        needed: u64,
        /// The available memory, in MB.
        free: u64,
        /// The number of guests that fit into the available memory.
        possible: u64,
    },
    /// A kernel module is missing or cannot be read.
    #[error(transparent)]
    Modules(#[from] ModuleError),
    /// QEMU is not installed.
    #[error(
        "{PROGRAM} is not installed: install the package qemu-system-x86 (Debian, Ubuntu) or qemu-system-x86-core (Fedora)"
    )]
    NoQemu,
    /// The kernel's process could not be started.
    #[error("cannot start it: {0}{help}", help = advice(.0))]
    Start(io::Error),
    /// The guest ended before it sent a result. Contains the exit status of its process.
    #[error("it ended before it sent a result ({0})")]
    Ended(String),
    /// A user-mode kernel found no init process. Only a kernel that this version of the harness has
    /// built can read the initramfs of this version. Contains the exit status.
    #[error(
        "it found no init process to start ({0}): this kernel was not built by this version of the harness\n  help: build one with `harness kernel build`, and run without a path to another kernel"
    )]
    Foreign(String),
    /// The guest sent no result within this limit of wall-clock time.
    #[error("it sent no result after {} of real time, and was killed", humantime::format_duration(*.0))]
    Limit(Duration),
    /// The bytes from the guest are not a valid result.
    #[error("its result cannot be decoded: {0}")]
    Garbled(io::Error),
    /// The init process could not set up the guest.
    #[error("its init process could not set up the guest: {0}")]
    Unready(String),
    /// The handler panicked in the guest. Contains the panic message.
    #[error("the program panicked in the guest: {0}")]
    Panicked(String),
}

fn fewer(possible: u64) -> String {
    match possible {
        0 => String::new(),
        possible => format!("\n  help: run no more than {possible} at once (-j {possible})"),
    }
}

fn quoted(console: &str) -> String {
    if console.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = console
        .lines()
        .map(|line| format!("\n  | {line}"))
        .collect();
    format!("\n  the last lines of its console:{}", lines.concat())
}
