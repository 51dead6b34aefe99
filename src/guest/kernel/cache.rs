//! Where built kernels lie, and what they are called: `~/.cache/deadpeer/kernels/linux-6.12.117-um-hz250-1a2b3c4d`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::{BuildError, Io};
use super::recipe::{Wanted, fingerprint};
use super::user::cache_folder;
use super::version::Version;
use super::workshop::clean;
use super::{NoHome, NotFound};
use crate::model::Hz;

/// A folder with kernels.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

/// A kernel in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Where it lies.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Its tick.
    pub hz: Hz,
    /// Its size in bytes.
    pub size: u64,
    /// When it was built.
    pub built: SystemTime,
    /// Whether this version of the harness would build another in its place: the recipe has changed.
    pub stale: bool,
}

impl Cache {
    /// The user's; under sudo, that of the user who called it. The folder need not exist.
    ///
    /// # Errors
    /// [`NoHome`].
    pub fn of_user() -> Result<Self, NoHome> {
        Ok(Self::at(cache_folder()?.join("deadpeer/kernels")))
    }

    /// In this folder.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the kernels lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes what builds that were killed have left behind; those that are going on are left alone.
    ///
    /// # Errors
    /// Where something cannot be removed.
    pub fn clean(&self) -> Result<(), BuildError> {
        clean(&self.folder)
    }

    /// All kernels, the newest version first.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn kernels(&self) -> Result<Vec<Kernel>, BuildError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).io("read", &self.folder),
        };
        let mut kernels = Vec::new();
        for entry in entries {
            let path = entry.io("read", &self.folder)?.path();
            kernels.extend(Kernel::at(path)?);
        }
        kernels.sort_by(|a, b| {
            let key = |kernel: &Kernel| (kernel.version, kernel.hz.get(), kernel.built);
            key(b).cmp(&key(a))
        });
        Ok(kernels)
    }

    /// The kernel that is asked for, of the newest version that is there.
    ///
    /// # Errors
    /// [`NotFound::NotBuilt`], also where the only one is stale.
    pub fn find(&self, wanted: Wanted) -> Result<Kernel, NotFound> {
        let mut fitting: Vec<Kernel> = self
            .kernels()?
            .into_iter()
            .filter(|kernel| kernel.version.is_of(wanted.series) && kernel.hz == wanted.hz)
            .collect();
        let stale = !fitting.is_empty();
        fitting.retain(|kernel| !kernel.stale);
        fitting
            .into_iter()
            .next()
            .ok_or_else(|| NotFound::NotBuilt {
                wanted,
                folder: self.folder.clone(),
                stale,
            })
    }

    /// Takes a finished kernel into the cache. It lies on the same file system, so that it is there as a whole or not at all.
    pub(super) fn keep(
        &self,
        program: &Path,
        version: Version,
        wanted: Wanted,
    ) -> Result<Kernel, BuildError> {
        let name = name(version, wanted.hz, &fingerprint(wanted));
        let path = self.folder.join(name);
        fs::rename(program, &path).io("put the kernel at", &path)?;
        Kernel::new(path, version, wanted.hz, false)
    }
}

impl Kernel {
    fn new(path: PathBuf, version: Version, hz: Hz, stale: bool) -> Result<Self, BuildError> {
        let metadata = path.metadata().io("look at", &path)?;
        Ok(Self {
            version,
            hz,
            size: metadata.len(),
            built: metadata.modified().io("look at", &path)?,
            stale,
            path,
        })
    }

    /// The kernel at this path, if its name is one's.
    fn at(path: PathBuf) -> Result<Option<Self>, BuildError> {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some((version, hz, print)) = name.and_then(parse) else {
            return Ok(None);
        };
        let current = version
            .series()
            .map(|series| fingerprint(Wanted { series, hz }));
        let stale = current.is_none_or(|current| current != print);
        Self::new(path, version, hz, stale).map(Some)
    }
}

fn name(version: Version, hz: Hz, fingerprint: &str) -> String {
    format!("linux-{version}-um-hz{}-{fingerprint}", hz.get())
}

/// Version, tick and fingerprint; `None` for what is no kernel's name.
fn parse(name: &str) -> Option<(Version, Hz, &str)> {
    let (version, rest) = name.strip_prefix("linux-")?.split_once("-um-hz")?;
    let (hz, fingerprint) = rest.split_once('-')?;
    Some((
        version.parse().ok()?,
        Hz::new(hz.parse().ok()?)?,
        fingerprint,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    fn hz(ticks: u32) -> Hz {
        Hz::new(ticks).unwrap()
    }

    fn filled(names: &[String]) -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), "kernel").unwrap();
        }
        let cache = Cache::at(folder.path().to_owned());
        (folder, cache)
    }

    fn current(text: &str, ticks: u32) -> String {
        let (version, hz) = (version(text), hz(ticks));
        let series = version.series().unwrap();
        name(version, hz, &fingerprint(Wanted { series, hz }))
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let name = name(version("6.12.117"), hz(250), "1a2b3c4d");
        assert_eq!(name, "linux-6.12.117-um-hz250-1a2b3c4d");
        assert_eq!(
            parse(&name),
            Some((version("6.12.117"), hz(250), "1a2b3c4d"))
        );
    }

    #[test]
    fn nothing_else_in_the_folder_counts_as_a_kernel() {
        let (_folder, cache) = filled(&[
            "building-6.12-hz250.lock".to_owned(),
            "build-6.12-hz250.log".to_owned(),
            "linux-6.12-um-hz250-1a2b3c4d".to_owned(),
            "linux-6.12.1-um-hz0-1a2b3c4d".to_owned(),
            "vmlinuz".to_owned(),
        ]);
        assert_eq!(cache.kernels().unwrap(), []);
    }

    #[test]
    fn the_newest_kernel_that_fits_is_found() {
        let names = [
            current("7.2.9", 250),
            current("7.2.10", 250),
            current("7.2.11", 100),
            current("6.1.200", 250),
        ];
        let (_folder, cache) = filled(&names);
        let found = cache.find(Wanted::default()).unwrap();
        assert_eq!(found.version, version("7.2.10"));
        assert_eq!(found.size, 6);
        let listed: Vec<Version> = cache.kernels().unwrap().iter().map(|k| k.version).collect();
        assert_eq!(
            listed,
            ["7.2.11", "7.2.10", "7.2.9", "6.1.200"].map(version)
        );
    }

    #[test]
    fn a_kernel_of_another_recipe_is_stale_and_not_used() {
        let (_folder, cache) = filled(&["linux-7.2.12-um-hz250-00000000".to_owned()]);
        assert!(cache.kernels().unwrap()[0].stale);
        let error = cache.find(Wanted::default()).unwrap_err().to_string();
        assert!(error.contains("another version of the harness"), "{error}");
        assert!(
            error.ends_with("build it: harness kernel build --version 7.2 --hz 250"),
            "{error}"
        );
    }

    #[test]
    fn an_empty_cache_has_no_kernel_and_no_folder() {
        let (folder, _) = filled(&[]);
        let cache = Cache::at(folder.path().join("none"));
        assert_eq!(cache.kernels().unwrap(), []);
        let error = cache.find(Wanted::default()).unwrap_err().to_string();
        assert!(!error.contains("another version"), "{error}");
    }
}
