//! The memory of user-mode guests: unnamed files of the host, which guests use one after another.
//!
//! At the first access to a page of a new file, the host must allocate and clear the page. A file
//! that an earlier guest has used already has its pages. The kernel of the next guest clears all of
//! them at boot (`edits::memory`), so that no guest can read the data of another guest.

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

/// The memory size on the guest's command line. The duration of a boot depends on it most: the
/// kernel initializes a descriptor for each page and sizes its hash tables by it. The kernel's
/// defaults for TCP buffers also depend on it, but have no effect, since a lab sets its own.
pub(super) const SIZE: &str = "128M";

/// The memory in bytes that a guest may use: most guests use 20 MB (40 MB with a debug build of
/// this program), and a case with a thousand connections uses 63 MB.
const NEEDED: u64 = 64 << 20;

/// The maximum size in bytes of a file that is kept for the next guest. The next guest would have
/// to clear the pages of a larger file without needing them.
const KEPT: u64 = 40 << 20;

/// The files that no guest uses at present.
static SPARE: Mutex<VecDeque<File>> = Mutex::new(VecDeque::new());

/// The memory file of a guest.
#[derive(Debug)]
pub(super) struct Memory(File);

impl Memory {
    /// Takes a file that no other guest uses: the one that has been unused for the longest time, or
    /// else a new one.
    pub(super) fn take() -> io::Result<Self> {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = spare.pop_front();
        match spare {
            Some(file) => Ok(Self(file)),
            // The guest's kernel sets the length of the file.
            None => Ok(Self(
                memfd_create(c"deadpeer-memory", MFdFlags::MFD_CLOEXEC)?.into(),
            )),
        }
    }

    /// A descriptor for the guest to inherit.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.0.try_clone().map(OwnedFd::from)
    }

    /// Makes the file available to the next guest, unless it has become too large. No process of
    /// this guest may still run.
    pub(super) fn give_back(self) {
        let kept = self.0.metadata().is_ok_and(|of| of.blocks() * 512 <= KEPT);
        if kept {
            let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
            spare.push_back(self.0);
        }
    }
}

/// Checks that the available memory is sufficient for this number of concurrent guests. Otherwise
/// the system would kill a process in the middle of a run. Only user-mode guests are checked.
///
/// # Errors
/// [`Failure::NoRoom`].
pub(crate) fn room_for(machine: &GuestMachine, guests: usize) -> Result<(), Failure> {
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

    /// One test, since the files are shared by the whole process.
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
