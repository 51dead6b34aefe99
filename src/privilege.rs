//! Reduces the rights of the process to those that it needs, and moves it from the host's network
//! namespace into a new one. Without root, it first enters a new user namespace.
//!
//! This happens once, before the process starts a second thread. Each later thread starts in the
//! new, empty namespace, so that not even a mistake can change the host's network.
//!
//! * [`become_caller`]: under sudo, takes the identity of the user who called it
//! * [`isolate`]: keeps only the rights for a lab on this kernel
//! * [`renounce`]: drops these rights too, for a run without a lab on this kernel
//! * `user_of_guests`, [`without_privileges`]: the user and the rights of a guest

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

pub use capabilities::without_privileges;
use capabilities::{FOR_LABS, keep_for_good, make_root_ordinary, may_change_user, without_labs};
use refusal::Refusal;
pub(crate) use refusal::Refused;

/// Leaves the host's network namespace, and keeps only the rights that labs in new namespaces need.
/// Must be called while the process has one thread.
///
/// # Errors
/// [`Refused`], with a remedy, if the system permits neither root's way nor a user namespace.
pub fn isolate() -> Result<(), Refused> {
    let refused = |refusal| move |source| Refused::new(refusal, source);
    // Without root's rights, the process becomes root of a new user namespace, and has no rights
    // outside of it.
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

/// The caller becomes root of a new user namespace, without rights outside of it. Files that the
/// process writes still belong to the caller.
fn enter_user_namespace() -> Result<(), Refused> {
    let (uid, gid) = (geteuid(), getegid());
    let failed = |refusal| move |errno: Errno| Refused::new(refusal, errno.into());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(failed(Refusal::User))?;
    // After a change of user, the process does not own the files below /proc/self unless it is
    // dumpable (proc_pid(5)).
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
    // If AppArmor restricts user namespaces, a process can create one but gets no capabilities in
    // it. This call fails then.
    unshare(CloneFlags::CLONE_NEWNET).map_err(failed(Refusal::NetworkOfUser))
}

/// Fails with `EROFS` if `/proc/sys/net` is mounted read-only. Containers mount it so, and a new
/// namespace does not change that.
fn are_sysctls_writable() -> io::Result<()> {
    let flags = statvfs("/proc/sys/net")?.flags();
    if flags.contains(FsFlags::ST_RDONLY) {
        return Err(Errno::EROFS.into());
    }
    Ok(())
}

/// Drops permanently the rights that only a lab on this kernel needs. Must be called while the
/// process has one thread.
///
/// # Errors
/// The error of the system calls.
pub(crate) fn renounce() -> io::Result<()> {
    keep_for_good(without_labs())
}

/// The user `nobody`, which owns no files, and the group of the same number.
const NOBODY: u32 = 65534;

/// The user of a guest if this process is root: `nobody`. `None` if this process is not root or
/// cannot become `nobody`: the guest then has the user of this process.
pub(crate) fn user_of_guests() -> Option<u32> {
    let is_mapped = |path| {
        let map = fs::read_to_string(path).unwrap_or_default();
        has_nobody(&map)
    };
    let may = geteuid().is_root() && may_change_user();
    (may && is_mapped("/proc/self/uid_map") && is_mapped("/proc/self/gid_map")).then_some(NOBODY)
}

/// Whether `nobody` is in a map of user_namespaces(7). Each line contains the first number inside,
/// the first number outside, and the count.
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
