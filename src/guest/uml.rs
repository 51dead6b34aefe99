//! A kernel built for user mode (`ARCH=um`): a program of the host, whose time is virtual.

use std::env;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use tokio::process::Command;

use super::error::Failure;
use super::image::LIBRARIES;
use super::init::CHANNEL;
use super::machine;

/// The guest's memory. The kernel derives TCP's limits from it (`tcp_init`), and from 768 MB they are those of any larger machine: up to
/// 6 MB to receive and 4 MB to send. Only what the guest touches is taken from the host, which is 16 MB for the descriptors of its pages at once.
const MEMORY: &str = "1G";

/// The wall clock at boot, in nanoseconds since 1970, and with it the phase of everything that comes later.
const START: &str = "1700000000000000000";

/// The command that boots the inherited image and answers on the inherited channel.
pub(super) fn command(kernel: &Path) -> Result<Command, Failure> {
    let mut command = Command::new(kernel);
    command
        .env_clear()
        .env("TMPDIR", memory_folder()?)
        // A static glibc registers restartable sequences before the kernel has made room for them, and crashes.
        .env("GLIBC_TUNABLES", "glibc.pthread.rseq=0")
        .arg(format!("mem={MEMORY}"))
        .arg(format!("initrd=/proc/self/fd/{}", machine::IMAGE))
        .args(["con=null", "con0=null,fd:1", "quiet"])
        .arg("ssl=null")
        .arg(format!("ssl0=null,fd:{}", machine::CHANNEL))
        .arg("time-travel=inf-cpu")
        .arg(format!("time-travel-start={START}"))
        // It would leave a folder with its process number behind. Here is one that exists and takes no files, not even root's.
        .arg("uml_dir=/proc/self/")
        // What the kernel does not know becomes init's environment.
        .arg(format!("LD_LIBRARY_PATH={LIBRARIES}"))
        .arg(format!("{CHANNEL}=/dev/ttyS0"));
    Ok(command)
}

/// A folder for the file that is the guest's memory. The file is executed from, and has no name from the start.
fn memory_folder() -> Result<PathBuf, Failure> {
    // What a person names comes first: /dev/shm may be too small, as in many containers.
    let named = |variable| env::var_os(variable).map(PathBuf::from);
    let usual = |folder: &str| Some(PathBuf::from(folder));
    let candidates = [
        named("TMPDIR"),
        usual("/dev/shm"),
        named("XDG_RUNTIME_DIR"),
        usual("/tmp"),
        usual("/var/tmp"),
    ];
    let candidates: Vec<PathBuf> = candidates.into_iter().flatten().collect();
    let suitable = candidates.iter().find(|folder| is_suitable(folder));
    suitable.cloned().ok_or_else(|| Failure::Memory {
        tried: candidates
            .iter()
            .map(|folder| folder.display().to_string())
            .collect::<Vec<_>>()
            .join(", "),
    })
}

fn is_suitable(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|system| !system.flags().contains(FsFlags::ST_NOEXEC))
        && tempfile::tempfile_in(folder).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_not_where_nothing_can_be_written_or_executed() {
        assert!(is_suitable(&env::temp_dir()));
        assert!(!is_suitable(Path::new("/proc")));
        assert!(!is_suitable(Path::new("/nonexistent")));
    }
}
