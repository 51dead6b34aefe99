//! The temporary folder of a build. Whoever builds holds its lock; what has no holder is left over from a build that was interrupted.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::Wanted;
use super::error::{BuildError, Io};
use super::stop::Stop;

const PREFIX: &str = "building-";

/// A folder that one build has for itself, removed with all that is in it when the build ends.
#[derive(Debug)]
pub(super) struct Workshop {
    folder: PathBuf,
    _lock: Flock<File>,
}

impl Workshop {
    /// An empty folder in the cache's folder, for one kernel. Where another build of that kernel is going on, says so and waits.
    pub(super) fn open(
        cache: &Path,
        wanted: Wanted,
        stop: &Stop,
        waiting: impl FnOnce(),
    ) -> Result<Self, BuildError> {
        fs::create_dir_all(cache).io("create", cache)?;
        let folder = cache.join(format!("{PREFIX}{}-hz{}", wanted.series, wanted.hz.get()));
        let lock = match try_lock(&folder)? {
            Some(lock) => lock,
            None => {
                waiting();
                lock(&folder, stop)?
            }
        };
        remove(&folder)?;
        fs::create_dir(&folder).io("create", &folder)?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // The next build tries again, and says what is wrong.
        remove(&self.folder).ok();
    }
}

/// Removes the folders that no build holds: those of builds that were killed.
pub(super) fn clean(cache: &Path) -> Result<(), BuildError> {
    let entries = match fs::read_dir(cache) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.io("read", cache)?,
    };
    for entry in entries {
        let path = entry.io("read", cache)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let is_workshop = name.is_some_and(|name| name.starts_with(PREFIX)) && path.is_dir();
        if is_workshop && let Some(_lock) = try_lock(&path)? {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).io("remove", folder),
        _ => Ok(()),
    }
}

/// The lock's file lies beside the folder and stays: whoever removed it might remove one that another build has just locked.
fn lock_file(folder: &Path) -> Result<(PathBuf, File), BuildError> {
    let mut path = folder.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = File::create(&path).io("create", &path)?;
    Ok((path, file))
}

/// `None` where another holds it.
fn try_lock(folder: &Path) -> Result<Option<Flock<File>>, BuildError> {
    let (path, file) = lock_file(folder)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()).io("lock", &path),
    }
}

/// Waits until the other lets go of it. A lock that blocks could not be given up.
fn lock(folder: &Path, stop: &Stop) -> Result<Flock<File>, BuildError> {
    const PACE: Duration = Duration::from_millis(200);
    loop {
        stop.check()?;
        if let Some(lock) = try_lock(folder)? {
            return Ok(lock);
        }
        thread::sleep(PACE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn open(cache: &Path) -> Workshop {
        let stop = Stop::default();
        Workshop::open(cache, Wanted::default(), &stop, || {
            panic!("nobody else builds")
        })
        .unwrap()
    }

    #[test]
    fn a_workshop_is_removed_with_what_is_in_it() {
        let cache = tempfile::tempdir().unwrap();
        let workshop = open(cache.path());
        fs::create_dir_all(workshop.folder().join("a/b")).unwrap();
        let folder = workshop.folder().to_owned();
        drop(workshop);
        assert!(!folder.exists());
    }

    #[test]
    fn what_killed_builds_left_is_removed_and_what_others_use_is_not() {
        let cache = tempfile::tempdir().unwrap();
        let left = ["building-6.12-hz100", "building-6.1-hz1000"];
        for folder in left {
            fs::create_dir_all(cache.path().join(folder).join("source")).unwrap();
        }
        let workshop = open(cache.path());
        clean(cache.path()).unwrap();
        assert!(workshop.folder().exists());
        for folder in left {
            assert!(!cache.path().join(folder).exists());
        }
        clean(&cache.path().join("nowhere")).unwrap();
    }

    #[test]
    fn a_workshop_is_empty_whatever_was_left_in_it() {
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir_all(cache.path().join("building-6.12-hz250/source")).unwrap();
        let workshop = open(cache.path());
        assert_eq!(fs::read_dir(workshop.folder()).unwrap().count(), 0);
    }

    #[test]
    fn a_second_build_waits_and_leaves_the_first_ones_folder_alone() {
        let cache = tempfile::tempdir().unwrap();
        let first = open(cache.path());
        fs::write(first.folder().join("file"), "").unwrap();
        let (say, heard) = channel();
        let path = cache.path().to_owned();
        let second = thread::spawn(move || {
            let stop = Stop::default();
            Workshop::open(&path, Wanted::default(), &stop, || say.send(()).unwrap()).unwrap();
        });
        heard.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(first.folder().join("file").exists());
        drop(first);
        second.join().unwrap();
    }

    #[test]
    fn a_build_that_waits_is_stopped() {
        let cache = tempfile::tempdir().unwrap();
        let _first = open(cache.path());
        let stop = Stop::default();
        let second = Workshop::open(cache.path(), Wanted::default(), &stop, || stop.stop());
        assert!(matches!(second, Err(BuildError::Stopped)), "{second:?}");
    }
}
