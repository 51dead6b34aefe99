//! Rights: as few as the work needs. Out of the host's network namespace, into one of the harness's
//! own; with a user namespace first where there is no root.
//!
//! This happens once, before any thread exists. Afterwards not even a mistake can reach the host's
//! network: every thread of the process starts in an empty namespace.
//!
//! * [`become_caller`]: under sudo, files are those of the user who called it
//! * [`isolate`]: what a lab on this kernel needs, and nothing beyond it
//! * [`renounce`]: where no lab on this kernel is needed
//! * `user_of_guests`, [`without_privileges`]: as whom a guest runs, and with what

mod caller;
mod capabilities;
mod refusal;

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_dumpable;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{getegid, geteuid};

pub use caller::{become_caller, home};

pub use caller::CallerError;
pub use capabilities::without_privileges;
use capabilities::{FOR_LABS, keep_for_good, make_root_ordinary, may_change_user, without_labs};
use refusal::Refusal;
pub use refusal::Refused;

/// Leaves the host's network namespace, and keeps no more rights than labs in new ones need. Must
/// be called while the process has one thread.
///
/// # Errors
/// [`Refused`], with what to do about it, where the system allows neither way.
pub fn isolate() -> Result<(), Refused> {
    let refused = |refusal| move |source| Refused::new(refusal, source);
    // Whoever lacks a lab's rights is root of a user namespace afterwards, and of nothing else.
    let mut kept = FOR_LABS | without_labs();
    match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => {}
        Err(Errno::EPERM) => {
            enter_user_namespace()?;
            make_root_ordinary().map_err(refused(Refusal::Capabilities))?;
            kept = FOR_LABS;
        }
        Err(errno) => return Err(Refused::new(Refusal::Network, errno.into())),
    }
    are_sysctls_writable().map_err(refused(Refusal::Sysctls))?;
    keep_for_good(kept).map_err(refused(Refusal::Capabilities))
}

/// The caller becomes root of a new user namespace, and of nothing else: files that it writes still
/// belong to the caller.
fn enter_user_namespace() -> Result<(), Refused> {
    let (uid, gid) = (geteuid(), getegid());
    let failed = |refusal| move |errno: Errno| Refused::new(refusal, errno.into());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(failed(Refusal::User))?;
    // Who was another user a moment ago owns none of these files otherwise (proc_pid(5)).
    set_dumpable(true).map_err(failed(Refusal::Map("prctl(PR_SET_DUMPABLE)")))?;
    // user_namespaces(7): a group map needs setgroups denied first.
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("0 {uid} 1")),
        ("/proc/self/gid_map", format!("0 {gid} 1")),
    ];
    for (path, map) in maps {
        fs::write(path, map).map_err(|source| Refused::new(Refusal::Map(path), source))?;
    }
    // Where AppArmor confines user namespaces they can be made, but give no capabilities; this
    // shows it.
    unshare(CloneFlags::CLONE_NEWNET).map_err(failed(Refusal::NetworkOfUser))
}

/// A container has `/proc/sys` read-only, whatever namespaces its programs are in.
fn are_sysctls_writable() -> io::Result<()> {
    let flags = statvfs("/proc/sys/net")?.flags();
    if flags.contains(FsFlags::ST_RDONLY) {
        return Err(Errno::EROFS.into());
    }
    Ok(())
}

/// Gives up all that only a lab on this kernel needs. Must be called while the process has one
/// thread, and is final.
///
/// # Errors
/// What the system says of the change.
pub fn renounce() -> io::Result<()> {
    keep_for_good(without_labs())
}

/// The user that owns nothing, and the group of that name.
const NOBODY: u32 = 65534;

/// As whom a guest of root runs: nobody, where this process may become that. Others keep their
/// user.
pub(crate) fn user_of_guests() -> Option<u32> {
    let is_mapped = |path| {
        let map = fs::read_to_string(path).unwrap_or_default();
        has_nobody(&map)
    };
    let may = geteuid().is_root() && may_change_user();
    (may && is_mapped("/proc/self/uid_map") && is_mapped("/proc/self/gid_map")).then_some(NOBODY)
}

/// Whether a map of user_namespaces(7) has it: the first number inside, the first outside, and how
/// many.
fn has_nobody(map: &str) -> bool {
    map.lines().any(|line| {
        let numbers: Vec<u32> = (line.split_whitespace())
            .filter_map(|number| number.parse().ok())
            .collect();
        matches!(numbers[..], [first, _, count] if (first..first.saturating_add(count)).contains(&NOBODY))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_there_where_all_users_are() {
        assert!(has_nobody("         0          0 4294967295\n"));
        assert!(has_nobody("0 100000 1000\n65534 165534 1\n"));
        assert!(!has_nobody("0 1000 1\n"));
        assert!(!has_nobody("0 100000 65534\n"));
    }
}
