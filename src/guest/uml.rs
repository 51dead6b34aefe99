//! The command line of a user-mode kernel (`ARCH=um`): a program of the host with virtual time.

use std::env;
use std::path::Path;

use kernel_builder::MEMORY_DESCRIPTOR;
use tokio::process::Command;

use super::descriptors;
use super::image::LIBRARIES;
use super::init::CHANNEL;
use super::memory;

/// The wall clock at boot, in nanoseconds since 1970. The phase of all later timers depends on it.
const START: &str = "1700000000000000000";

/// Options that stop or shorten periodic work, which would wake an idle guest without need. Every
/// five seconds the kernel probes the neighbour entries that it maintains itself
/// (`NTF_EXT_MANAGED`, `neigh_managed_work`), which a lab does not have. Every minute connection
/// tracking scans its hash table, whose default size depends on the guest's memory.
const LESS_PERIODIC_WORK: [&str; 3] = [
    "sysctl.net.ipv4.neigh.default.interval_probe_time_ms=86400000",
    "sysctl.net.ipv6.neigh.default.interval_probe_time_ms=86400000",
    "nf_conntrack.hashsize=512",
];

/// The environment variable with the directory in which the kernel may create a program, which the
/// host executes and which the kernel then removes at once.
const FOLDER: &str = "TMPDIR";

/// The environment of the C library: one heap for all threads, which is large enough from the start
/// that [`init`](super::init) can map it at once, instead of page by page when it is used.
const HEAP: [&str; 2] = ["MALLOC_ARENA_MAX=1", "MALLOC_TOP_PAD_=1048576"];

/// The command that boots the inherited kernel with the inherited initramfs and writes the frames
/// to the inherited channel.
pub(super) fn command(kernel: &Path) -> Command {
    let mut command = Command::new(format!("/proc/self/fd/{}", descriptors::KERNEL));
    command
        .arg0(kernel)
        .env_clear()
        .env(MEMORY_DESCRIPTOR, descriptors::MEMORY.to_string())
        // The kernel needs the directory on a host that does not execute unnamed files
        // (`vm.memfd_noexec`).
        .envs(env::var_os(FOLDER).map(|folder| (FOLDER, folder)))
        // A static glibc registers restartable sequences (rseq) before the kernel has reserved
        // memory for them, and crashes.
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
        // Since Linux 6.16, the guest's programs can stop by seccomp instead of ptrace, if the host
        // permits it.
        .arg("seccomp=auto")
        .arg(format!("time-travel-start={START}"))
        .args(LESS_PERIODIC_WORK)
        // The initramfs is not part of the guest's memory (`edits::image`), so the kernel must not
        // free it. The root file system must be ramfs, which accepts the pages of the initramfs as
        // pages of its files.
        .args(["retain_initrd", "rootfstype=ramfs"])
        // By default the kernel leaves a directory behind that is named by its process id. This
        // directory exists and nobody, not even root, can create files in it.
        .arg("uml_dir=/proc/self/")
        // The kernel passes unknown parameters to init as environment variables.
        .arg(format!("LD_LIBRARY_PATH={LIBRARIES}"))
        .args(HEAP)
        .arg(format!("{CHANNEL}=/dev/ttyS0"));
    command
}
