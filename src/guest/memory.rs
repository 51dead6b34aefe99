//! The memory of guests in user mode: files of the host without a name, which one guest after
//! another has.
//!
//! What a guest touches of its memory for the first time, the host has to find and to clear, page
//! by page. A file that a guest has had has its pages already; the next guest's kernel clears them
//! all at once when it boots (`edits::memory`), so that no guest ever sees another's.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::GuestMachine;
use super::error::Failure;
use crate::memory;

/// How much a guest is told it has. The kernel describes each page of it and sizes its hash tables
/// by it, which is what a boot takes longest for. What it makes of it for TCP's buffers does not
/// matter: a lab sets its own.
pub(super) const SIZE: &str = "128M";

/// What a guest may touch of it: most take 20 MB, or 40 where this program is a debug build, and 63
/// in one with a case of a thousand connections.
const NEEDED: u64 = 64 << 20;

/// What is kept for the next guest at most. It would have to clear what it does not need.
const KEPT: u64 = 40 << 20;

/// The files that no guest has.
static SPARE: Mutex<VecDeque<File>> = Mutex::new(VecDeque::new());

/// A guest's memory.
#[derive(Debug)]
pub(super) struct Memory(File);

impl Memory {
    /// A file that nobody else has: the one that has been nobody's for longest.
    pub(super) fn take() -> io::Result<Self> {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = spare.pop_front();
        match spare {
            Some(file) => Ok(Self(file)),
            // The kernel that has it gives it its length.
            None => Ok(Self(
                memfd_create(c"deadpeer-memory", MFdFlags::MFD_CLOEXEC)?.into(),
            )),
        }
    }

    /// What the guest inherits.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.0.try_clone().map(OwnedFd::from)
    }

    /// Leaves it to the next guest. Nothing of this one may run any more.
    pub(super) fn give_back(self) {
        let kept = self.0.metadata().is_ok_and(|of| of.blocks() * 512 <= KEPT);
        if kept {
            let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
            spare.push_back(self.0);
        }
    }
}

/// Whether there is memory for so many guests at once. The system would kill some process in the
/// middle of its work.
///
/// # Errors
/// [`Failure::NoRoom`].
pub fn room_for(machine: &GuestMachine, guests: usize) -> Result<(), Failure> {
    match (machine, memory::available()) {
        (GuestMachine::Uml { .. }, Some(free)) => room_in(free, guests),
        _ => Ok(()),
    }
}

fn room_in(free: u64, guests: usize) -> Result<(), Failure> {
    let needed = NEEDED.saturating_mul(guests as u64);
    if free >= needed {
        return Ok(());
    }
    Err(Failure::NoRoom {
        guests,
        needed: needed >> 20,
        free: free >> 20,
        possible: free / NEEDED,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn more_guests_than_fit_are_refused_with_how_many_do() {
        let free = 10 * NEEDED + 1;
        assert!(room_in(free, 10).is_ok());
        let error = room_in(free, 11).unwrap_err();
        assert!(
            matches!(
                error,
                Failure::NoRoom {
                    guests: 11,
                    possible: 10,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("-j 10"), "{error}");
        let error = room_in(NEEDED - 1, 1).unwrap_err();
        assert!(!error.to_string().contains("-j"), "{error}");
    }

    /// In one test, for it is the same heap of files for all that a process does.
    #[test]
    fn memory_goes_to_one_guest_after_another_unless_it_has_become_too_large() {
        let inode = |memory: &Memory| memory.0.metadata().unwrap().ino();
        let small = Memory::take().unwrap();
        let large = Memory::take().unwrap();
        assert_ne!(inode(&small), inode(&large), "nobody shares");
        let [small_inode, large_inode] = [&small, &large].map(inode);
        small.0.write_all_at(b"something", 100 << 20).unwrap();
        large.0.write_all_at(&vec![1; 41 << 20], 0).unwrap();
        small.give_back();
        large.give_back();
        let next: Vec<Memory> = (0..10).map(|_| Memory::take().unwrap()).collect();
        let next: Vec<u64> = next.iter().map(inode).collect();
        assert!(next.contains(&small_inode), "{small_inode} {next:?}");
        assert!(!next.contains(&large_inode), "{large_inode} {next:?}");
    }
}
