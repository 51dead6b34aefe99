//! Finds the cause and the remedy when the system refuses the namespaces of a lab.

use std::fs;
use std::io;
use std::path::Path;

use nix::errno::Errno;

/// The refused operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// `unshare(CLONE_NEWUSER)`.
    User,
    /// A write to a file of `/proc/self` that maps the user into the new user namespace.
    Map(&'static str),
    /// `unshare(CLONE_NEWNET)`.
    Network,
    /// `unshare(CLONE_NEWNET)` in a new user namespace, in which the process should have every
    /// capability.
    NetworkOfUser,
    /// A write to a sysctl of the new network namespace.
    Sysctls,
    /// The change of the capabilities of this process.
    Capabilities,
}

/// The system refuses an operation that a lab needs.
#[derive(Debug, thiserror::Error)]
#[error("cannot create a network namespace: {what}: {source}{advice}")]
pub struct Refused {
    what: &'static str,
    source: io::Error,
    advice: String,
}

impl Refused {
    pub(super) fn new(refusal: Refusal, source: io::Error) -> Self {
        let errno = Errno::from_raw(source.raw_os_error().unwrap_or_default());
        let cause = Cause::of(refusal, errno, Path::new("/proc"));
        let helps = cause.helps();
        Self {
            what: refusal.what(),
            source,
            advice: format!(
                "\n  cause: {}\n  help: {}",
                cause.text,
                helps.join("\n  help: ")
            ),
        }
    }
}

impl Refusal {
    fn what(self) -> &'static str {
        match self {
            Self::User => "unshare(CLONE_NEWUSER)",
            Self::Map(path) => path,
            Self::Network => "unshare(CLONE_NEWNET)",
            Self::NetworkOfUser => "unshare(CLONE_NEWNET) in a user namespace",
            Self::Sysctls => "/proc/sys/net",
            Self::Capabilities => "capset",
        }
    }
}

/// The cause of a refusal.
#[derive(Debug)]
struct Cause {
    text: String,
    remedy: Option<String>,
    /// Whether root is allowed to do it.
    root_may: bool,
    /// Whether a run in virtual time fails for the same cause.
    warp_needs_it: bool,
}

impl Cause {
    fn of(refusal: Refusal, errno: Errno, proc: &Path) -> Self {
        if !proc.join("self").exists() {
            return Self::new("no proc file system is mounted at /proc")
                .remedy("mount it: mount -t proc proc /proc")
                .everywhere();
        }
        match (refusal, errno) {
            (_, Errno::EROFS) if refusal == Refusal::Sysctls => {
                Self::new("/proc/sys is mounted read-only, as is usual in containers")
                    .remedy("docker run --privileged, or --security-opt systempaths=unconfined")
                    .for_root_too()
            }
            (_, Errno::EROFS) => Self::new("/proc is mounted read-only")
                .remedy("remount it: mount -o remount,rw /proc")
                .for_root_too(),
            // create_user_ns and copy_net_ns return these if inc_ucount fails.
            (Refusal::User, Errno::ENOSPC | Errno::EUSERS) => {
                exhausted(proc, "max_user_namespaces")
            }
            (_, Errno::ENOSPC | Errno::EUSERS) => exhausted(proc, "max_net_namespaces"),
            (Refusal::User, Errno::EINVAL) if !proc.join("self/ns/user").exists() => {
                Self::new("this kernel has no user namespaces (CONFIG_USER_NS)")
            }
            (_, Errno::EINVAL) if !proc.join("self/ns/net").exists() => {
                Self::new("this kernel has no network namespaces (CONFIG_NET_NS)").for_root_too()
            }
            (_, Errno::EPERM | Errno::EACCES) => forbidden(refusal, proc),
            (_, errno) => Self::new(format!("unknown; the error is {errno}")),
        }
    }

    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            remedy: None,
            root_may: true,
            warp_needs_it: false,
        }
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn for_root_too(mut self) -> Self {
        self.root_may = false;
        self
    }

    fn everywhere(mut self) -> Self {
        self.warp_needs_it = true;
        self.for_root_too()
    }

    fn helps(&self) -> Vec<String> {
        let root = "run it as root: sudo harness run ...";
        let warp = if self.warp_needs_it {
            "run it in virtual time: `--warp` needs no namespace, but it needs /proc too"
        } else {
            "run it in virtual time: `--warp` needs none of this"
        };
        let root = self.root_may.then(|| root.to_owned());
        let helps = [self.remedy.clone(), root, Some(warp.to_owned())];
        helps.into_iter().flatten().collect()
    }
}

/// The number of namespaces has reached a limit. Each parent user namespace has a limit of its own,
/// which can be read only there.
fn exhausted(proc: &Path, limit: &str) -> Cause {
    let value = sysctl(proc, &format!("user/{limit}")).unwrap_or_default();
    let beyond = match (value.as_str(), limit) {
        ("0", _) => "",
        (_, "max_user_namespaces") => {
            ": the limit is reached, or a parent user namespace has a lower one, or 32 user namespaces are nested"
        }
        _ => ": the limit is reached, or a parent user namespace has a lower one",
    };
    Cause::new(format!("user.{limit} = {value}{beyond}"))
        .remedy(format!("allow more: sudo sysctl user.{limit}=10000"))
}

/// The sysctls that can forbid it, each with the forbidding value and the remedy.
const FORBIDDING_SYSCTLS: [(&str, &str, &str); 2] = [
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "allow it with: sudo sysctl kernel.unprivileged_userns_clone=1",
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor allows it only to programs with a profile that contains `userns,` (see /etc/apparmor.d), or to all programs with: \
         sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
];

/// The cause of a refusal to a user without root's rights.
fn forbidden(refusal: Refusal, proc: &Path) -> Cause {
    for (path, forbidding, remedy) in FORBIDDING_SYSCTLS {
        if sysctl(proc, path).is_some_and(|value| value == forbidding) {
            let name = path.replace('/', ".");
            return Cause::new(format!(
                "a sysctl forbids unprivileged use: {name} = {forbidding}"
            ))
            .remedy(remedy);
        }
    }
    // create_user_ns fails in a chroot (current_chrooted).
    if refusal == Refusal::User && is_in_chroot(proc) {
        return Cause::new("this process is in a chroot, where no user namespace can be created")
            .remedy("use a container or pivot_root(2) instead of chroot(2)");
    }
    if is_filtered(proc) {
        return Cause::new("no sysctl forbids it, but a seccomp filter is active (the default filter of containers forbids it)").remedy(
            "docker run --privileged, or --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined",
        );
    }
    Cause::new("neither a sysctl nor a seccomp filter forbids it, but a security module may (SELinux, AppArmor, ...)")
        .remedy("find the module in the kernel's log: sudo dmesg")
}

fn sysctl(proc: &Path, path: &str) -> Option<String> {
    let value = fs::read_to_string(proc.join("sys").join(path)).ok()?;
    Some(value.trim().to_owned())
}

/// Whether this process is in a chroot. mountinfo lists only the mounts below the root of the
/// process (proc_pid_mountinfo(5)), so it has no entry for `/` if the root is an ordinary
/// directory.
fn is_in_chroot(proc: &Path) -> bool {
    let Ok(mounts) = fs::read_to_string(proc.join("self/mountinfo")) else {
        return false;
    };
    let point = |line: &str| line.split(' ').nth(4).map(str::to_owned);
    !mounts.lines().filter_map(point).any(|point| point == "/")
}

/// Whether a seccomp filter is active: `Seccomp: 2` (proc_pid_status(5)).
fn is_filtered(proc: &Path) -> bool {
    let status = fs::read_to_string(proc.join("self/status")).unwrap_or_default();
    let mode = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() == "2")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Files<'f> = &'f [(&'f str, &'f str)];

    /// A directory like `/proc` of a system that allows everything, except for these files.
    fn proc(files: Files) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let usual = [
            ("self/ns/user", ""),
            ("self/ns/net", ""),
            ("self/status", "Name:\tharness\nSeccomp:\t0\n"),
            ("self/mountinfo", "27 1 254:0 / / rw - ext4 /dev/root rw\n"),
            ("sys/user/max_user_namespaces", "1000\n"),
            ("sys/user/max_net_namespaces", "1000\n"),
            ("sys/kernel/unprivileged_userns_clone", "1\n"),
        ];
        for (path, content) in usual.iter().chain(files) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn told(refusal: Refusal, errno: Errno, files: Files) -> String {
        let cause = Cause::of(refusal, errno, proc(files).path());
        format!("{}; {}", cause.text, cause.helps().join("; "))
    }

    #[test]
    fn each_refusal_has_its_own_cause() {
        let apparmor = "kernel.apparmor_restrict_unprivileged_userns = 1";
        let cases: [(Refusal, Errno, Files, &str); 10] = [
            (
                Refusal::User,
                Errno::ENOSPC,
                &[("sys/user/max_user_namespaces", "0\n")],
                "user.max_user_namespaces = 0; ",
            ),
            (
                Refusal::User,
                Errno::ENOSPC,
                &[],
                "user.max_user_namespaces = 1000: the limit is reached",
            ),
            (
                Refusal::Network,
                Errno::ENOSPC,
                &[],
                "user.max_net_namespaces = 1000: the limit is reached",
            ),
            (
                Refusal::User,
                Errno::EPERM,
                &[("sys/kernel/unprivileged_userns_clone", "0\n")],
                "kernel.unprivileged_userns_clone = 0",
            ),
            (
                Refusal::NetworkOfUser,
                Errno::EPERM,
                &[("sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")],
                apparmor,
            ),
            (
                Refusal::User,
                Errno::EPERM,
                &[("self/mountinfo", "30 27 0:5 / /proc rw - proc proc rw\n")],
                "is in a chroot",
            ),
            (
                Refusal::User,
                Errno::EPERM,
                &[("self/status", "Seccomp:\t2\n")],
                "seccomp filter",
            ),
            (Refusal::User, Errno::EPERM, &[], "a security module may"),
            (
                Refusal::Sysctls,
                Errno::EROFS,
                &[],
                "/proc/sys is mounted read-only",
            ),
            (
                Refusal::Map("/proc/self/uid_map"),
                Errno::EROFS,
                &[],
                "/proc is mounted read-only",
            ),
        ];
        for (refusal, errno, files, expected) in cases {
            let told = told(refusal, errno, files);
            assert!(told.contains(expected), "{refusal:?} {errno}: {told}");
            assert!(told.ends_with("`--warp` needs none of this"), "{told}");
        }
    }

    #[test]
    fn a_kernel_without_namespaces_is_named_by_its_option() {
        for (refusal, file, option) in [
            (Refusal::User, "user", "CONFIG_USER_NS"),
            (Refusal::Network, "net", "CONFIG_NET_NS"),
        ] {
            let proc = proc(&[]);
            fs::remove_file(proc.path().join("self/ns").join(file)).unwrap();
            let cause = Cause::of(refusal, Errno::EINVAL, proc.path());
            assert!(cause.text.contains(option), "{cause:?}");
        }
    }

    /// A guest gets its files by their paths in `/proc/self/fd`.
    #[test]
    fn without_proc_neither_root_nor_virtual_time_helps() {
        let empty = tempfile::tempdir().unwrap();
        let cause = Cause::of(Refusal::Sysctls, Errno::ENOENT, empty.path());
        let helps = cause.helps().join("; ");
        assert!(cause.text.contains("no proc file system"), "{cause:?}");
        assert!(helps.contains("mount -t proc"), "{helps}");
        assert!(!helps.contains("sudo"), "{helps}");
    }

    #[test]
    fn root_is_recommended_only_where_it_is_not_refused() {
        let clone = [("sys/kernel/unprivileged_userns_clone", "0\n")];
        assert!(told(Refusal::User, Errno::EPERM, &clone).contains("sudo harness run"));
        assert!(!told(Refusal::Sysctls, Errno::EROFS, &[]).contains("sudo harness run"));
    }
}
