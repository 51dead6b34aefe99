//! Reduces root's rights to some capabilities (capabilities(7)), and prevents that a program
//! regains others by `exec`.

use std::io;
use std::process::Command;

use nix::unistd::geteuid;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, set_capabilities,
    set_capabilities_secure_bits, set_no_new_privs,
};

use crate::sys;

/// The capabilities that create and enter network namespaces (`SYS_ADMIN`), configure them
/// (`NET_ADMIN`), and capture packets (`NET_RAW`).
pub(super) const FOR_LABS: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::NET_ADMIN)
    .union(CapabilitySet::NET_RAW);

/// The capabilities of a root without sudo for files. This root is the caller, and may access the
/// files of all users.
pub(super) const FOR_FILES_OF_ROOT: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER);

/// The capabilities of a root without sudo for guests: guests and the programs that build their
/// kernels run as another user (`SETUID`, `SETGID`), without root's rights (`SETPCAP`), and are
/// moved between processors (`SYS_NICE`).
pub(super) const FOR_GUESTS_OF_ROOT: CapabilitySet = CapabilitySet::SETUID
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SYS_NICE);

/// The capabilities of a process that needs no lab on this kernel.
pub(super) fn without_labs() -> CapabilitySet {
    if geteuid().is_root() {
        FOR_FILES_OF_ROOT | FOR_GUESTS_OF_ROOT
    } else {
        CapabilitySet::empty()
    }
}

/// Drops all capabilities of this thread except `these`.
pub(super) fn keep(these: CapabilitySet) -> io::Result<()> {
    let kept = capabilities(None)?.permitted & these;
    Ok(set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )?)
}

/// The same permanently: no program that this thread starts later gets another capability
/// (`no_new_privs` in prctl(2)).
pub(super) fn keep_for_good(these: CapabilitySet) -> io::Result<()> {
    keep(these)?;
    Ok(set_no_new_privs(true)?)
}

/// Whether this thread may become another user.
pub(super) fn may_change_user() -> bool {
    let change = CapabilitySet::SETUID | CapabilitySet::SETGID;
    capabilities(None).is_ok_and(|sets| sets.effective.contains(change))
}

/// Prevents that user 0 gets capabilities by `exec`. It gets none under `no_new_privs` either, but
/// then the kernel treats the process as one that has gained capabilities and clears its
/// personality (`cap_bprm_creds_from_file`). A user-mode kernel that finds its addresses randomized
/// restarts itself, in that case without end.
pub(super) fn make_root_ordinary() -> io::Result<()> {
    let bits = CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED;
    Ok(set_capabilities_secure_bits(bits)?)
}

/// Prepares a command whose process has no capabilities and cannot gain any by `exec`, whatever its
/// user is.
pub fn without_privileges(command: &mut Command) {
    sys::before_exec(command, drop_all);
}

/// Drops all capabilities of a process between fork and exec. Makes system calls only.
fn drop_all() -> io::Result<()> {
    // This fails without `SETPCAP`: the process is then not root, or has already dropped root's
    // rights.
    make_root_ordinary().ok();
    keep_for_good(CapabilitySet::empty())
}
