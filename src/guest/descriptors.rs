//! The numbers of the descriptors that the host process of a guest inherits.

use std::os::fd::RawFd;

use crate::sys;

/// The first archive of the initramfs (the program), or for QEMU both archives.
pub(super) const PROGRAM: RawFd = sys::INHERITED[0];
/// The second archive of the initramfs (the modules and the job).
pub(super) const JOB: RawFd = sys::INHERITED[1];
/// The writing end of the pipe for the guest's frames.
pub(super) const CHANNEL: RawFd = sys::INHERITED[2];
/// The memory file of a user-mode kernel.
pub(super) const MEMORY: RawFd = sys::INHERITED[3];
/// The kernel.
pub(super) const KERNEL: RawFd = sys::INHERITED[4];
