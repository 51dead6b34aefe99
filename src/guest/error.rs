//! A guest that gave no result.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::modules::ModuleError;
use super::qemu::PROGRAM;
use crate::limits::advice;
use crate::text::plural;

/// A guest that gave no result, with the last of its console.
#[derive(Debug, thiserror::Error)]
#[error("guest kernel {}: {failure}{}", kernel.display(), quoted(console))]
pub struct GuestError {
    /// The kernel that was to run, or ran.
    pub kernel: PathBuf,
    /// What happened.
    #[source]
    pub failure: Failure,
    /// The last lines of its console; empty where it said nothing.
    pub console: String,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// This program could not be packed for the guest.
    #[error("cannot pack this program for the guest: {0}{help}", help = advice(.0))]
    Image(io::Error),
    /// The machine, or the control group of this process, has too little memory for all guests at
    /// once.
    #[error(
        "there is no room for the memory of {}: {free} MB are available of the {needed} MB that it takes{}",
        plural(*guests, "guest"), fewer(*.possible)
    )]
    NoRoom {
        /// How many guests there are to be.
        guests: usize,
        /// What they need, in MB.
        needed: u64,
        /// What there is, in MB.
        free: u64,
        /// How many guests that is enough for.
        possible: u64,
    },
    /// The modules that the kernel needs cannot be had.
    #[error(transparent)]
    Modules(#[from] ModuleError),
    /// There is no QEMU.
    #[error(
        "it needs {PROGRAM}, which is not there: install the package qemu-system-x86 (Debian, Ubuntu) or qemu-system-x86-core (Fedora)"
    )]
    NoQemu,
    /// The kernel could not be started.
    #[error("cannot start it: {0}{help}", help = advice(.0))]
    Start(io::Error),
    /// The guest ended before it was done; how.
    #[error("it ended before it was done ({0})")]
    Ended(String),
    /// A user-mode kernel boots from files that only those know how to take that are built for this
    /// version.
    #[error(
        "it has found nothing to boot ({0}): it was built by another version of the harness, or by somebody else\n  help: build it anew with `harness kernel build`, and name no other"
    )]
    Foreign(String),
    /// The guest was not done within the limit of wall-clock time.
    #[error("it was not done after {} of real time, and was stopped", humantime::format_duration(*.0))]
    Limit(Duration),
    /// What came was no answer.
    #[error("its answer cannot be read: {0}")]
    Garbled(io::Error),
    /// The guest's init could not set the guest up.
    #[error("its init could not set it up: {0}")]
    Unready(String),
    /// The handler panicked in the guest.
    #[error("the program panicked in it: {0}")]
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
    format!("\n  the last of its console:{}", lines.concat())
}
