//! The temporary directory of a build. A build holds a lock while it runs. A directory whose lock
//! nobody holds is left over from a build that was killed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::error::{BuildError, Io};
use crate::spec::KernelSpec;
use crate::stop::Stop;

const PREFIX: &str = "building-";

/// A directory for one build, which removes it with its content when it ends.
#[derive(Debug)]
pub(crate) struct BuildDir {
    path: PathBuf,
    _lock: Flock<File>,
}

impl BuildDir {
    /// Creates an empty directory in the cache, for one kernel. If another build of that kernel
    /// runs, calls `waiting` and waits for its end.
    pub(crate) fn open(
        cache: &Path,
        spec: KernelSpec,
        stop: &Stop,
        waiting: impl FnOnce(),
    ) -> Result<Self, BuildError> {
        fs::create_dir_all(cache).io("create", cache)?;
        let path = cache.join(format!("{PREFIX}{}-hz{}", spec.series, spec.tick));
        let lock = match try_lock(&path)? {
            Some(lock) => lock,
            None => {
                waiting();
                lock(&path, stop)?
            }
        };
        remove(&path)?;
        fs::create_dir(&path).io("create", &path)?;
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for BuildDir {
    fn drop(&mut self) {
        // The next build tries again, and reports the error.
        remove(&self.path).ok();
    }
}

/// Removes the directories whose lock nobody holds.
pub(crate) fn clean(cache: &Path) -> Result<(), BuildError> {
    let entries = match fs::read_dir(cache) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.io("read", cache)?,
    };
    for entry in entries {
        let path = entry.io("read", cache)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let is_build_dir = name.is_some_and(|name| name.starts_with(PREFIX)) && path.is_dir();
        if is_build_dir && let Some(_lock) = try_lock(&path)? {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).io("remove", path),
        _ => Ok(()),
    }
}

/// The lock file lies beside the directory and is never removed: the remover could remove a file
/// that another build has just locked.
fn lock_file(path: &Path) -> Result<(PathBuf, File), BuildError> {
    let mut path = path.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let file = File::create(&path).io("create", &path)?;
    Ok((path, file))
}

/// `None` if another build holds the lock.
fn try_lock(path: &Path) -> Result<Option<Flock<File>>, BuildError> {
    let (path, file) = lock_file(path)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()).io("lock", &path),
    }
}

/// Waits until the other build releases the lock. A blocking lock could not be cancelled.
fn lock(path: &Path, stop: &Stop) -> Result<Flock<File>, BuildError> {
    const INTERVAL: Duration = Duration::from_millis(200);
    loop {
        stop.check()?;
        if let Some(lock) = try_lock(path)? {
            return Ok(lock);
        }
        thread::sleep(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn open(cache: &Path) -> BuildDir {
        let stop = Stop::default();
        BuildDir::open(cache, KernelSpec::default(), &stop, || {
            panic!("no other build runs")
        })
        .unwrap()
    }

    #[test]
    fn a_build_dir_is_removed_with_its_content() {
        let cache = tempfile::tempdir().unwrap();
        let dir = open(cache.path());
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        let path = dir.path().to_owned();
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn only_directories_without_a_holder_are_removed() {
        let cache = tempfile::tempdir().unwrap();
        let left = ["building-6.12-hz100", "building-6.1-hz1000"];
        for name in left {
            fs::create_dir_all(cache.path().join(name).join("source")).unwrap();
        }
        let dir = open(cache.path());
        clean(cache.path()).unwrap();
        assert!(dir.path().exists());
        for name in left {
            assert!(!cache.path().join(name).exists());
        }
        clean(&cache.path().join("nowhere")).unwrap();
    }

    #[test]
    fn a_build_dir_is_empty_at_first() {
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir_all(cache.path().join("building-6.12-hz250/source")).unwrap();
        let dir = open(cache.path());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_second_build_waits_for_the_first() {
        let cache = tempfile::tempdir().unwrap();
        let first = open(cache.path());
        fs::write(first.path().join("file"), "").unwrap();
        let (sender, receiver) = channel();
        let path = cache.path().to_owned();
        let second = thread::spawn(move || {
            let stop = Stop::default();
            BuildDir::open(&path, KernelSpec::default(), &stop, || {
                sender.send(()).unwrap()
            })
            .unwrap();
        });
        receiver.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(first.path().join("file").exists());
        drop(first);
        second.join().unwrap();
    }

    #[test]
    fn a_build_that_waits_can_be_stopped() {
        let cache = tempfile::tempdir().unwrap();
        let _first = open(cache.path());
        let stop = Stop::default();
        let second = BuildDir::open(cache.path(), KernelSpec::default(), &stop, || stop.stop());
        assert!(matches!(second, Err(BuildError::Stopped)), "{second:?}");
    }
}
