//! The origin of the source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::Stage;
use crate::command::Log;
use crate::error::{BuildError, Io};
use crate::spec::Series;
use crate::version::Version;

/// Code that no guest contains: two thirds of the source. The Kconfig files of these directories
/// stay, since others include them.
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

/// Debian's keys, from the package `debian-archive-keyring`.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The origin of a build's source.
#[derive(Debug)]
pub(crate) enum Source<'p> {
    /// A tree or a tarball that the user has named.
    Named(&'p Path),
    /// The tarball of the installed package `linux-source-*`.
    Installed(PathBuf),
    /// The package, which apt must download.
    Download,
}

impl<'p> Source<'p> {
    pub(crate) fn choose(named: Option<&'p Path>, series: Series) -> Self {
        let installed = PathBuf::from(format!("/usr/src/{}", tarball(series)));
        match named {
            Some(path) => Self::Named(path),
            None if installed.is_file() => Self::Installed(installed),
            None => Self::Download,
        }
    }

    /// Unpacks the source into the new directory `tree`, with temporary files in `dir`.
    pub(crate) fn unpack(
        &self,
        series: Series,
        dir: &Path,
        tree: &Path,
        log: &mut Log,
        report: &mut dyn FnMut(Stage<'_>),
    ) -> Result<Version, BuildError> {
        fs::create_dir(tree).io("create", tree)?;
        let from = match self {
            Self::Named(path) => path.to_path_buf(),
            Self::Installed(path) => path.clone(),
            Self::Download => {
                report(Stage::Downloading);
                download(series, dir, log)?
            }
        };
        report(Stage::Unpacking(&from));
        if from.is_dir() {
            copy(&from, tree, log)?;
        } else {
            untar(&from, tree, log)?;
        }
        let makefile = tree.join("Makefile");
        // Without a Makefile there is no version either.
        let text = fs::read_to_string(&makefile).unwrap_or_default();
        let version = Version::from_makefile(&text)
            .ok_or_else(|| BuildError::NotLinux { path: from.clone() })?;
        if version.is_of(series) {
            Ok(version)
        } else {
            Err(BuildError::OtherVersion {
                path: from,
                found: version,
                series,
            })
        }
    }
}

/// The package's file in `/usr/src`.
fn tarball(series: Series) -> String {
    format!("linux-source-{series}.tar.xz")
}

/// Downloads the package, without privileges, and extracts the tarball.
fn download(series: Series, dir: &Path, log: &mut Log) -> Result<PathBuf, BuildError> {
    let mut got = get(series, dir, &[], log);
    if let (Err(BuildError::Program { .. }), Some(suite)) = (&got, suite(series)) {
        got = get_from(suite, series, dir, log);
    }
    got.map_err(|error| match error {
        BuildError::Program { log, .. } => BuildError::NoSource { series, log },
        other => other,
    })?;
    let package = downloaded(dir)?.ok_or_else(|| BuildError::NoSource {
        series,
        log: log.path().to_owned(),
    })?;
    let content = dir.join("package");
    let mut extract = Command::new("dpkg-deb");
    extract.arg("--extract").arg(&package).arg(&content);
    log.run(extract, |_| {})?;
    Ok(content.join("usr/src").join(tarball(series)))
}

/// A suite that few systems have among their package sources.
fn suite(series: Series) -> Option<&'static str> {
    match series {
        Series::V6_1 | Series::V6_12 => None,
        Series::V7_2 => Some("trixie-backports"),
    }
}

/// Downloads it from one suite of Debian, verified with Debian's keys, and leaves the system's
/// lists of packages alone.
fn get_from(suite: &str, series: Series, dir: &Path, log: &mut Log) -> Result<(), BuildError> {
    let lists = dir.join("lists");
    let cache = dir.join("cache");
    for new in [lists.join("partial"), cache.join("archives/partial")] {
        fs::create_dir_all(&new).io("create", &new)?;
    }
    let sources = dir.join("sources.list");
    let line = format!("deb [signed-by={KEYS}] http://deb.debian.org/debian {suite} main\n");
    fs::write(&sources, line).io("write", &sources)?;
    let options = [
        format!("Dir::Etc::SourceList={}", sources.display()),
        "Dir::Etc::SourceParts=-".to_owned(),
        format!("Dir::State::Lists={}", lists.display()),
        format!("Dir::Cache={}", cache.display()),
    ];
    let mut update = apt(dir, &options);
    update.arg("update");
    log.run(update, |_| {})?;
    get(series, dir, &options, log)
}

fn get(series: Series, dir: &Path, options: &[String], log: &mut Log) -> Result<(), BuildError> {
    let mut get = apt(dir, options);
    get.args(["download", &format!("linux-source-{series}")]);
    log.run(get, |_| {})
}

fn apt(dir: &Path, options: &[String]) -> Command {
    let mut apt = Command::new("apt-get");
    apt.current_dir(dir);
    apt.args(options.iter().flat_map(|option| ["--option", option]));
    apt
}

/// The package in the directory. Its name contains the version, which is unknown here.
fn downloaded(dir: &Path) -> Result<Option<PathBuf>, BuildError> {
    for entry in fs::read_dir(dir).io("read", dir)? {
        let path = entry.io("read", dir)?.path();
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
    // Only root can restore the archive's owners, and nothing depends on them.
    tar.arg("--no-same-owner");
    tar.args(NOT_UNPACKED.map(|pattern| format!("--exclude={pattern}")));
    log.run(tar, |_| {})
}

/// Copies the user's tree, which stays unchanged.
fn copy(from: &Path, tree: &Path, log: &mut Log) -> Result<(), BuildError> {
    let mut copy = Command::new("cp");
    copy.args(["--recursive", "--no-dereference", "--reflink=auto"]);
    copy.arg(from.join(".")).arg(tree);
    log.run(copy, |_| {})
}
