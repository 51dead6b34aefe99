//! Where guests in user mode keep their memory: a file of the host for each, without a name.

use std::env;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

use super::Machine;
use super::error::Failure;

/// What a guest may touch of its memory, in MB: most take 20, or 40 where this program is a debug build, and 63 in one with a case of a thousand
/// connections.
const NEEDED: u64 = 64;

/// Whether there is memory for so many guests at once. A guest that finds none left is killed in the middle of its work.
///
/// # Errors
/// [`Failure::NoRoom`], and [`Failure::Memory`] where there is no folder at all.
pub fn room_for(machine: &Machine, guests: usize) -> Result<(), Failure> {
    match machine {
        Machine::Uml { .. } => room_in(folder()?, guests),
        Machine::Qemu { .. } => Ok(()),
    }
}

fn room_in(folder: PathBuf, guests: usize) -> Result<(), Failure> {
    let needed = NEEDED.saturating_mul(guests as u64);
    let free = free(&folder).map_err(|errno| Failure::Start(errno.into()))?;
    if free >= needed {
        return Ok(());
    }
    Err(Failure::NoRoom {
        folder,
        guests,
        needed,
        free,
        possible: free / NEEDED,
    })
}

/// In MB, for anybody.
fn free(folder: &Path) -> nix::Result<u64> {
    let system = statvfs(folder)?;
    Ok(system
        .blocks_available()
        .saturating_mul(system.fragment_size())
        >> 20)
}

/// A folder for the file that is the guest's memory. The file is executed from, and has no name from the start.
pub(super) fn folder() -> Result<PathBuf, Failure> {
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
    fn memory_for_more_guests_than_fit_is_refused_with_how_many_do() {
        let folder = env::temp_dir();
        let fitting = usize::try_from(free(&folder).unwrap() / NEEDED).unwrap();
        assert!(room_in(folder.clone(), fitting / 2).is_ok());
        let error = room_in(folder.clone(), fitting * 2).unwrap_err();
        let Failure::NoRoom {
            guests, possible, ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(guests, fitting * 2);
        assert!(possible < guests as u64, "{error}");
        assert!(error.to_string().contains("-j"), "{error}");
    }

    #[test]
    fn memory_is_not_where_nothing_can_be_written_or_executed() {
        assert!(is_suitable(&env::temp_dir()));
        assert!(!is_suitable(Path::new("/proc")));
        assert!(!is_suitable(Path::new("/nonexistent")));
    }
}
