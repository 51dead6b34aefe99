//! Where the source comes from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::Log;
use super::error::{BuildError, Io};
use super::{Series, Stage, Version};

/// Code that no guest is built from: two thirds of the source. Its Kconfig files stay, for others include them.
const NOT_UNPACKED: [&str; 8] = [
    "*/drivers/gpu/*.[ch]",
    "*/drivers/media/*.[ch]",
    "*/drivers/net/ethernet/*.[ch]",
    "*/drivers/net/wireless/*.[ch]",
    "*/drivers/scsi/*.[ch]",
    "*/sound/*.[ch]",
    "*.dts",
    "*.dtsi",
];

/// Debian's keys, where its package `debian-archive-keyring` puts them.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where a build's source is to come from.
#[derive(Debug)]
pub(super) enum Source<'p> {
    /// A tree or a tarball that the user names.
    Named(&'p Path),
    /// The package `linux-source-*`, which is installed.
    Installed(PathBuf),
    /// The package, which apt has to download.
    Download,
}

impl<'p> Source<'p> {
    pub(super) fn choose(named: Option<&'p Path>, series: Series) -> Self {
        let installed = PathBuf::from(format!("/usr/src/{}", tarball(series)));
        match named {
            Some(path) => Self::Named(path),
            None if installed.is_file() => Self::Installed(installed),
            None => Self::Download,
        }
    }

    /// Puts the source into the new folder `tree`, and what it needs on the way into `folder`.
    pub(super) fn unpack(
        &self,
        series: Series,
        folder: &Path,
        tree: &Path,
        log: &mut Log,
        tell: &mut dyn FnMut(Stage<'_>),
    ) -> Result<Version, BuildError> {
        fs::create_dir(tree).io("create", tree)?;
        let from = match self {
            Self::Named(path) => path.to_path_buf(),
            Self::Installed(path) => path.clone(),
            Self::Download => {
                tell(Stage::Downloading);
                download(series, folder, log)?
            }
        };
        tell(Stage::Unpacking(&from));
        if from.is_dir() {
            copy(&from, tree, log)?;
        } else {
            untar(&from, tree, log)?;
        }
        let makefile = tree.join("Makefile");
        // No Makefile gives no version either.
        let text = fs::read_to_string(&makefile).unwrap_or_default();
        let version = Version::from_makefile(&text)
            .ok_or_else(|| BuildError::NotLinux { path: from.clone() })?;
        if version.is_of(series) {
            Ok(version)
        } else {
            Err(BuildError::OtherVersion {
                path: from,
                found: version,
                wanted: series,
            })
        }
    }
}

/// What the package brings into `/usr/src`.
fn tarball(series: Series) -> String {
    format!("linux-source-{series}.tar.xz")
}

/// Downloads the package as anybody can, and takes the tarball out of it.
fn download(series: Series, folder: &Path, log: &mut Log) -> Result<PathBuf, BuildError> {
    let mut got = get(series, folder, &[], log);
    if let (Err(BuildError::Program { .. }), Some(suite)) = (&got, suite(series)) {
        got = get_from(suite, series, folder, log);
    }
    got.map_err(|error| match error {
        BuildError::Program { log, .. } => BuildError::NoSource { series, log },
        other => other,
    })?;
    let package = downloaded(folder)?.ok_or_else(|| BuildError::NoSource {
        series,
        log: log.path().to_owned(),
    })?;
    let content = folder.join("package");
    let mut extract = Command::new("dpkg-deb");
    extract.arg("--extract").arg(&package).arg(&content);
    log.run(extract, |_| {})?;
    Ok(content.join("usr/src").join(tarball(series)))
}

/// Whose packages the system's own apt rarely knows: few have a suite of backports among their sources.
fn suite(series: Series) -> Option<&'static str> {
    match series {
        Series::V6_1 | Series::V6_12 => None,
        Series::V7_2 => Some("trixie-backports"),
    }
}

/// Downloads it from one suite of Debian, verified with Debian's keys, and leaves the system's lists of packages alone.
fn get_from(suite: &str, series: Series, folder: &Path, log: &mut Log) -> Result<(), BuildError> {
    let lists = folder.join("lists");
    let cache = folder.join("cache");
    for new in [lists.join("partial"), cache.join("archives/partial")] {
        fs::create_dir_all(&new).io("create", &new)?;
    }
    let sources = folder.join("sources.list");
    let line = format!("deb [signed-by={KEYS}] http://deb.debian.org/debian {suite} main\n");
    fs::write(&sources, line).io("write", &sources)?;
    let options = [
        format!("Dir::Etc::SourceList={}", sources.display()),
        "Dir::Etc::SourceParts=-".to_owned(),
        format!("Dir::State::Lists={}", lists.display()),
        format!("Dir::Cache={}", cache.display()),
    ];
    let mut update = apt(folder, &options);
    update.arg("update");
    log.run(update, |_| {})?;
    get(series, folder, &options, log)
}

fn get(series: Series, folder: &Path, options: &[String], log: &mut Log) -> Result<(), BuildError> {
    let mut get = apt(folder, options);
    get.args(["download", &format!("linux-source-{series}")]);
    log.run(get, |_| {})
}

fn apt(folder: &Path, options: &[String]) -> Command {
    let mut apt = Command::new("apt-get");
    apt.current_dir(folder);
    apt.args(options.iter().flat_map(|option| ["--option", option]));
    apt
}

/// The package in the folder, whose name has the version in it.
fn downloaded(folder: &Path) -> Result<Option<PathBuf>, BuildError> {
    for entry in fs::read_dir(folder).io("read", folder)? {
        let path = entry.io("read", folder)?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn untar(tarball: &Path, tree: &Path, log: &mut Log) -> Result<(), BuildError> {
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--strip-components=1", "--file"]);
    tar.arg(tarball).arg("--directory").arg(tree);
    // The archive's owners mean nothing here, and only root could restore them.
    tar.arg("--no-same-owner");
    tar.args(NOT_UNPACKED.map(|pattern| format!("--exclude={pattern}")));
    log.run(tar, |_| {})
}

/// The user's own tree stays as it is.
fn copy(from: &Path, tree: &Path, log: &mut Log) -> Result<(), BuildError> {
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--no-dereference", "--reflink=auto"]);
    copy.arg(from.join(".")).arg(tree);
    log.run(copy, |_| {})
}
