//! What is left of root's rights: capabilities(7), and nothing that a program could bring back by
//! `exec`.

use std::io;
use std::process::Command;

use nix::unistd::geteuid;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, set_capabilities,
    set_capabilities_secure_bits, set_no_new_privs,
};

use crate::sys;

/// Network namespaces are made and entered (`SYS_ADMIN`), set up (`NET_ADMIN`), and listened to
/// (`NET_RAW`).
pub(super) const FOR_LABS: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::NET_ADMIN)
    .union(CapabilitySet::NET_RAW);

/// A root without sudo is the caller, whose files are everybody's.
pub(super) const FOR_FILES_OF_ROOT: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER);

/// Its guests, and what builds their kernels, run as others (`SETUID`, `SETGID`), without root's
/// rights (`SETPCAP`), and are moved from processor to processor (`SYS_NICE`).
pub(super) const FOR_GUESTS_OF_ROOT: CapabilitySet = CapabilitySet::SETUID
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SYS_NICE);

/// What remains where nothing needs a lab on this kernel.
pub(super) fn without_labs() -> CapabilitySet {
    if geteuid().is_root() {
        FOR_FILES_OF_ROOT | FOR_GUESTS_OF_ROOT
    } else {
        CapabilitySet::empty()
    }
}

/// Drops all capabilities of this thread but these.
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

/// The same for good: no program that is started later has a capability that this thread has not
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

/// From here on, user 0 gets no capability by `exec`. Under `no_new_privs` it gets none anyhow, but
/// the kernel takes it for one that has gained some, and clears its personality
/// (`cap_bprm_creds_from_file`): a user-mode kernel that finds its addresses randomized starts
/// itself anew, for ever.
pub(super) fn make_root_ordinary() -> io::Result<()> {
    let bits = CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED;
    Ok(set_capabilities_secure_bits(bits)?)
}

/// Prepares a command whose process has no capability, and can get none by the start of another
/// program, whichever user it runs as.
pub fn without_privileges(command: &mut Command) {
    sys::before_exec(command, drop_all);
}

/// Takes every right from a process between fork and exec that the program need not have. Makes
/// system calls only.
fn drop_all() -> io::Result<()> {
    // Whoever may not is another user, or no root any more.
    make_root_ordinary().ok();
    keep_for_good(CapabilitySet::empty())
}
