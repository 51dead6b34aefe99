//! Out of the host's network namespace, into one of the harness's own; with a user namespace first where there is no root.
//!
//! This happens once, before any thread exists. Afterwards not even a mistake can reach the host's network: every thread of the
//! process starts in an empty namespace.

use std::fs;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{getegid, geteuid};

/// The system refuses what a lab needs.
#[derive(Debug, thiserror::Error)]
#[error("cannot create a network namespace: {what}: {source}\n{advice}")]
pub struct Refused {
    what: &'static str,
    source: io::Error,
    advice: String,
}

/// Leaves the host's network namespace. Must be called while the process has one thread.
///
/// # Errors
/// [`Refused`], with what to do about it, where the system allows neither way.
pub fn isolate() -> Result<(), Refused> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => Ok(()),
        Err(Errno::EPERM) => enter_user_namespace(),
        Err(errno) => Err(refused("unshare(CLONE_NEWNET)", errno.into())),
    }
}

/// The caller becomes root of a new user namespace, and of nothing else: files that it writes still belong to the caller.
fn enter_user_namespace() -> Result<(), Refused> {
    let (uid, gid) = (geteuid(), getegid());
    let user_and_network = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
    unshare(user_and_network)
        .map_err(|errno| refused("unshare(CLONE_NEWUSER | CLONE_NEWNET)", errno.into()))?;
    // user_namespaces(7): a group map needs setgroups denied first.
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("0 {uid} 1")),
        ("/proc/self/gid_map", format!("0 {gid} 1")),
    ];
    for (path, map) in maps {
        fs::write(path, map).map_err(|source| refused(path, source))?;
    }
    // Where AppArmor confines user namespaces they can be made, but give no capabilities; this shows it.
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|errno| refused("unshare(CLONE_NEWNET) in a user namespace", errno.into()))
}

fn refused(what: &'static str, source: io::Error) -> Refused {
    Refused {
        what,
        advice: advice(Path::new("/proc/sys")),
        source,
    }
}

/// The switches that decide, each with the value that forbids and what would allow.
const SWITCHES: [(&str, &str, &str); 4] = [
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor allows it only to programs with a profile that says `userns,` (see /etc/apparmor.d), or to all with: \
         sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "allow it with: sudo sysctl kernel.unprivileged_userns_clone=1",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "allow it with: sudo sysctl user.max_user_namespaces=10000",
    ),
    (
        "user/max_net_namespaces",
        "0",
        "allow it with: sudo sysctl user.max_net_namespaces=10000",
    ),
];

/// What to do, from what the system's switches say.
fn advice(sysctls: &Path) -> String {
    let mut lines = vec!["  help: run it as root: sudo harness run ...".to_owned()];
    for (path, forbidding, remedy) in SWITCHES {
        let value = fs::read_to_string(sysctls.join(path)).unwrap_or_default();
        if value.trim() == forbidding {
            let name = path.replace('/', ".");
            lines.push(format!(
                "  help: unprivileged use is off here ({name} = {forbidding}); {remedy}"
            ));
        }
    }
    if lines.len() == 1 {
        let seccomp = "no sysctl forbids it, so a seccomp filter may (a container's default one does): \
                       docker run --privileged, or --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined";
        lines.push(format!("  help: {seccomp}"));
    }
    lines.join("\n")
}

/// A lab takes about a dozen descriptors; the soft limit of 1024 is for programs that use select(2).
pub fn raise_descriptor_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it cannot be raised, the first open that goes beyond says so.
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sysctls(values: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, value) in values {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, value).unwrap();
        }
        folder
    }

    #[test]
    fn the_switch_that_forbids_is_named_with_its_remedy() {
        let folder = sysctls(&[("kernel/apparmor_restrict_unprivileged_userns", "1\n")]);
        let advice = advice(folder.path());
        assert!(
            advice.contains("kernel.apparmor_restrict_unprivileged_userns = 1"),
            "{advice}"
        );
        assert!(advice.contains("sudo harness run"), "{advice}");
    }

    #[test]
    fn a_switch_that_allows_is_not_mentioned() {
        let folder = sysctls(&[
            ("kernel/unprivileged_userns_clone", "1\n"),
            ("user/max_user_namespaces", "0\n"),
        ]);
        let advice = advice(folder.path());
        assert!(!advice.contains("unprivileged_userns_clone"), "{advice}");
        assert!(advice.contains("user.max_user_namespaces = 0"), "{advice}");
    }

    #[test]
    fn without_a_switch_seccomp_is_suspected() {
        let folder = sysctls(&[]);
        assert!(advice(folder.path()).contains("seccomp"));
    }
}
