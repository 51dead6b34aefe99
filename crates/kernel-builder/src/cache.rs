//! The cache of built kernels, and the names of its files:
//! `~/.cache/deadpeer/kernels/linux-6.12.117-um-hz250-1a2b3c4d`.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use etcetera::{BaseStrategy, base_strategy::Xdg};

use crate::build_dir::clean;
use crate::build_spec::fingerprint;
use crate::error::{BuildError, Io};
use crate::spec::{KernelSpec, Tick};
use crate::version::Version;

/// A directory with kernels.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
}

/// A kernel in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// The path of the kernel.
    pub path: PathBuf,
    /// The version.
    pub version: Version,
    /// The tick.
    pub tick: Tick,
    /// The size in bytes.
    pub size: u64,
    /// The time of the build.
    pub built: SystemTime,
    /// Whether the build spec has changed since: a build would replace this kernel.
    pub stale: bool,
}

/// The cache has no directory, since the user has no home.
#[derive(Debug, thiserror::Error)]
#[error("there is no folder for kernels: neither XDG_CACHE_HOME nor HOME is set")]
pub struct NoHome;

/// No kernel was found.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// The cache has no kernel of the present build spec.
    #[error("there is no kernel for {spec} in {}{}\n  build it: {}", dir.display(), stale_note(*.stale), spec.build_command())]
    NotBuilt {
        /// The requested kernel.
        spec: KernelSpec,
        /// The directory of the cache.
        dir: PathBuf,
        /// Whether the cache has such a kernel of another build spec.
        stale: bool,
    },
    /// The user has no cache.
    #[error(transparent)]
    NoHome(#[from] NoHome),
    /// The cache cannot be read.
    #[error(transparent)]
    Unreadable(#[from] BuildError),
}

fn stale_note(stale: bool) -> &'static str {
    if stale {
        "; the one that is there was built by another version of the harness"
    } else {
        ""
    }
}

/// The path of a kernel in the user's cache. See [`Cache::of_user`] for `home`.
///
/// # Errors
/// [`NotFound`], with the command that builds the kernel.
pub fn find(spec: KernelSpec, home: Option<&Path>) -> Result<PathBuf, NotFound> {
    Ok(Cache::of_user(home)?.find(spec)?.path)
}

impl Cache {
    /// The user's cache, below `$XDG_CACHE_HOME` or else `~/.cache`. `home` is the user's home if
    /// the variable `HOME` names another one, as it may under sudo. The directory need not exist.
    ///
    /// # Errors
    /// [`NoHome`].
    pub fn of_user(home: Option<&Path>) -> Result<Self, NoHome> {
        let cache = match home {
            Some(home) if env::var_os("XDG_CACHE_HOME").is_none() => home.join(".cache"),
            _ => Xdg::new().map_err(|_| NoHome)?.cache_dir(),
        };
        Ok(Self::at(cache.join("deadpeer/kernels")))
    }

    fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The directory with the kernels.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes the directories of builds that were killed, not those of builds that run.
    ///
    /// # Errors
    /// A directory cannot be removed.
    pub fn clean(&self) -> Result<(), BuildError> {
        clean(&self.dir)
    }

    /// All kernels, the newest version first.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn kernels(&self) -> Result<Vec<Kernel>, BuildError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).io("read", &self.dir),
        };
        let mut kernels = Vec::new();
        for entry in entries {
            let path = entry.io("read", &self.dir)?.path();
            kernels.extend(Kernel::at(path)?);
        }
        kernels.sort_by(|a, b| {
            let key = |kernel: &Kernel| (kernel.version, kernel.tick, kernel.built);
            key(b).cmp(&key(a))
        });
        Ok(kernels)
    }

    /// The requested kernel, in the newest version that the cache has.
    pub(crate) fn find(&self, spec: KernelSpec) -> Result<Kernel, NotFound> {
        let mut matching: Vec<Kernel> = self
            .kernels()?
            .into_iter()
            .filter(|kernel| kernel.version.is_of(spec.series) && kernel.tick == spec.tick)
            .collect();
        let stale = !matching.is_empty();
        matching.retain(|kernel| !kernel.stale);
        matching
            .into_iter()
            .next()
            .ok_or_else(|| NotFound::NotBuilt {
                spec,
                dir: self.dir.clone(),
                stale,
            })
    }

    /// Moves a finished kernel into the cache. The file must be on the same file system, so that
    /// the move is atomic.
    pub(crate) fn keep(
        &self,
        program: &Path,
        version: Version,
        spec: KernelSpec,
    ) -> Result<Kernel, BuildError> {
        let name = name(version, spec.tick, &fingerprint(spec));
        let path = self.dir.join(name);
        fs::rename(program, &path).io("put the kernel at", &path)?;
        Kernel::new(path, version, spec.tick, false)
    }
}

impl Kernel {
    fn new(path: PathBuf, version: Version, tick: Tick, stale: bool) -> Result<Self, BuildError> {
        let metadata = path.metadata().io("look at", &path)?;
        Ok(Self {
            version,
            tick,
            size: metadata.len(),
            built: metadata.modified().io("look at", &path)?,
            stale,
            path,
        })
    }

    /// The kernel at this path; `None` if the file's name is not that of a kernel.
    fn at(path: PathBuf) -> Result<Option<Self>, BuildError> {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some((version, tick, print)) = name.and_then(parse) else {
            return Ok(None);
        };
        let current = version
            .series()
            .map(|series| fingerprint(KernelSpec { series, tick }));
        let stale = current.is_none_or(|current| current != print);
        Self::new(path, version, tick, stale).map(Some)
    }
}

fn name(version: Version, tick: Tick, fingerprint: &str) -> String {
    format!("linux-{version}-um-hz{tick}-{fingerprint}")
}

/// The version, the tick and the fingerprint; `None` if the name is not that of a kernel.
fn parse(name: &str) -> Option<(Version, Tick, &str)> {
    let (version, rest) = name.strip_prefix("linux-")?.split_once("-um-hz")?;
    let (tick, fingerprint) = rest.split_once('-')?;
    Some((Version::parse(version)?, tick.parse().ok()?, fingerprint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn filled(names: &[String]) -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), "kernel").unwrap();
        }
        let cache = Cache::at(folder.path().to_owned());
        (folder, cache)
    }

    fn current(text: &str, tick: Tick) -> String {
        let version = version(text);
        let series = version.series().unwrap();
        name(version, tick, &fingerprint(KernelSpec { series, tick }))
    }

    #[test]
    fn a_name_is_parsed_as_it_is_written() {
        let name = name(version("6.12.117"), Tick::Hz250, "1a2b3c4d");
        assert_eq!(name, "linux-6.12.117-um-hz250-1a2b3c4d");
        assert_eq!(
            parse(&name),
            Some((version("6.12.117"), Tick::Hz250, "1a2b3c4d"))
        );
    }

    #[test]
    fn other_files_are_not_kernels() {
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
    fn the_newest_matching_kernel_is_found() {
        let names = [
            current("7.2.9", Tick::Hz250),
            current("7.2.10", Tick::Hz250),
            current("7.2.11", Tick::Hz100),
            current("6.1.200", Tick::Hz250),
        ];
        let (_folder, cache) = filled(&names);
        let found = cache.find(KernelSpec::default()).unwrap();
        assert_eq!(found.version, version("7.2.10"));
        assert_eq!(found.size, 6);
        let listed: Vec<Version> = cache.kernels().unwrap().iter().map(|k| k.version).collect();
        assert_eq!(
            listed,
            ["7.2.11", "7.2.10", "7.2.9", "6.1.200"].map(version)
        );
    }

    #[test]
    fn a_kernel_of_another_build_spec_is_stale_and_not_used() {
        let (_folder, cache) = filled(&["linux-7.2.12-um-hz250-00000000".to_owned()]);
        assert!(cache.kernels().unwrap()[0].stale);
        let error = cache.find(KernelSpec::default()).unwrap_err().to_string();
        assert!(error.contains("another version of the harness"), "{error}");
        assert!(
            error.ends_with("build it: harness kernel build --version 7.2 --hz 250"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_cache_has_no_kernels() {
        let (folder, _) = filled(&[]);
        let cache = Cache::at(folder.path().join("none"));
        assert_eq!(cache.kernels().unwrap(), []);
        let error = cache.find(KernelSpec::default()).unwrap_err().to_string();
        assert!(!error.contains("another version"), "{error}");
    }
}
