//! The descriptors that the process of a guest inherits.

use std::os::fd::RawFd;

use crate::sys;

/// The descriptors that a guest's process inherits: the two parts of its image, where its answer
/// goes, its memory, and its kernel.
pub(super) const PROGRAM: RawFd = sys::INHERITED[0];
pub(super) const JOB: RawFd = sys::INHERITED[1];
pub(super) const CHANNEL: RawFd = sys::INHERITED[2];
pub(super) const MEMORY: RawFd = sys::INHERITED[3];
pub(super) const KERNEL: RawFd = sys::INHERITED[4];
