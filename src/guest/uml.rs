//! A kernel built for user mode (`ARCH=um`): a program of the host, whose time is virtual.

use std::env;
use std::path::Path;

use kernel_builder::MEMORY_DESCRIPTOR;
use tokio::process::Command;

use super::descriptors;
use super::image::LIBRARIES;
use super::init::CHANNEL;
use super::memory;

/// The wall clock at boot, in nanoseconds since 1970, and with it the phase of everything that
/// comes later.
const START: &str = "1700000000000000000";

/// What would wake an idle guest for nothing: entries that the kernel keeps alive of itself
/// (`NTF_EXT_MANAGED`), of which a lab has none, are looked for every five seconds
/// (`neigh_managed_work`), and each minute connection tracking goes through its hash table, which
/// is as large as the guest's memory makes it.
const CALM: [&str; 3] = [
    "sysctl.net.ipv4.neigh.default.interval_probe_time_ms=86400000",
    "sysctl.net.ipv6.neigh.default.interval_probe_time_ms=86400000",
    "nf_conntrack.hashsize=512",
];

/// Where it may write a program for the host to execute, and remove it at once.
const FOLDER: &str = "TMPDIR";

/// What the C library is told: one heap for all threads, that begins with so much room that
/// [`init`](super::init) can have it mapped at once, instead of page by page as it is used.
const HEAP: [&str; 2] = ["MALLOC_ARENA_MAX=1", "MALLOC_TOP_PAD_=1048576"];

/// The command that boots the inherited kernel with the inherited image and answers on the
/// inherited channel.
pub(super) fn command(kernel: &Path) -> Command {
    let mut command = Command::new(format!("/proc/self/fd/{}", descriptors::KERNEL));
    command
        .arg0(kernel)
        .env_clear()
        .env(MEMORY_DESCRIPTOR, descriptors::MEMORY.to_string())
        // For a host that executes no file without a name (`vm.memfd_noexec`).
        .envs(env::var_os(FOLDER).map(|folder| (FOLDER, folder)))
        // A static glibc registers restartable sequences before the kernel has made room for them,
        // and crashes.
        .env("GLIBC_TUNABLES", "glibc.pthread.rseq=0")
        .arg(format!("mem={}", memory::SIZE))
        .arg(format!(
            "initrd=/proc/self/fd/{},/proc/self/fd/{}",
            descriptors::PROGRAM,
            descriptors::JOB
        ))
        .args(["con=null", "con0=null,fd:1", "quiet"])
        .arg("ssl=null")
        .arg(format!("ssl0=null,fd:{}", descriptors::CHANNEL))
        .arg("time-travel=inf-cpu")
        // From Linux 6.16 on, programs may stop by themselves, where the host lets them, instead of
        // being stopped by ptrace.
        .arg("seccomp=auto")
        .arg(format!("time-travel-start={START}"))
        .args(CALM)
        // It is not the guest's own memory (`edits::image`), and cannot be freed. Its pages are
        // files' on a file system that takes whatever pages it is given.
        .args(["retain_initrd", "rootfstype=ramfs"])
        // It would leave a folder with its process number behind. Here is one that exists and takes
        // no files, not even root's.
        .arg("uml_dir=/proc/self/")
        // What the kernel does not know becomes init's environment.
        .arg(format!("LD_LIBRARY_PATH={LIBRARIES}"))
        .args(HEAP)
        .arg(format!("{CHANNEL}=/dev/ttyS0"));
    command
}
