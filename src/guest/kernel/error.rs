//! Why there is no kernel.

use std::io;
use std::path::{Path, PathBuf};

use super::tools::{Tool, install_command};
use super::{Series, Version};

/// Why no kernel was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// It was stopped.
    #[error("stopped; what it had made so far is removed")]
    Stopped,
    /// User-mode Linux is for x86 alone.
    #[error("kernels for user mode can be built on x86_64 only, and this is {0}")]
    Architecture(&'static str),
    /// Programs that the build needs are not installed.
    #[error(
        "the build needs what is not installed: {}\n  {}",
        named(missing),
        install_command(missing)
    )]
    Tools {
        /// All of them.
        missing: Vec<Tool>,
    },
    /// Neither the system nor apt has the source.
    #[error("{}", no_source(*.series, log))]
    NoSource {
        /// What was asked for.
        series: Series,
        /// What apt-get said.
        log: PathBuf,
    },
    /// The source is not one of Linux.
    #[error("{} is not the source of a Linux kernel: no Makefile gives its version", path.display())]
    NotLinux {
        /// What was to be the source.
        path: PathBuf,
    },
    /// The source is that of another kernel.
    #[error("{} is the source of Linux {found}, not {wanted}", path.display())]
    OtherVersion {
        /// Where it was found.
        path: PathBuf,
        /// What it is.
        found: Version,
        /// What it should be.
        wanted: Series,
    },
    /// The source is not what an edit was written for.
    #[error("{} has changed: it should contain this once\n  {}\nIt must be changed for guests; teach the harness about the new text.", path.display(), old.trim())]
    Edit {
        /// The file.
        path: PathBuf,
        /// The text that should be there.
        old: &'static str,
    },
    /// Kconfig dropped lines of the fragment.
    #[error("Linux {version} does not take this configuration: {}\nThe symbols are unknown, or need others that are not set.", lines.join(", "))]
    Configuration {
        /// The kernel.
        version: Version,
        /// The lines.
        lines: Vec<String>,
    },
    /// A program failed.
    #[error("{program} failed ({status}); the last of {}:\n{tail}", log.display())]
    Program {
        /// Its name.
        program: String,
        /// Its exit status.
        status: String,
        /// All that it said.
        log: PathBuf,
        /// The end of that.
        tail: String,
    },
    /// A file, or a program that could not be started.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

fn named(missing: &[Tool]) -> String {
    let names: Vec<&str> = missing.iter().map(|tool| tool.name).collect();
    names.join(", ")
}

fn no_source(series: Series, log: &Path) -> String {
    let suites = match series {
        Series::V6_1 => "Debian 12 (bookworm)",
        Series::V6_12 => "Debian 13 (trixie) and bookworm-security of Debian 12",
        Series::V7_2 => "the backports of Debian 13 (trixie-backports)",
    };
    let (major, _) = series.numbers();
    format!(
        "there is no source of Linux {series}: /usr/src/linux-source-{series}.tar.xz does not exist, and apt-get cannot download the \
         package linux-source-{series} (see {})\n  {suites} have it: `apt-get update`, after adding the suite to /etc/apt where it is not\n  \
         or: --source linux-{series}.tar.xz, from https://cdn.kernel.org/pub/linux/kernel/v{major}.x/",
        log.display()
    )
}

/// Says which file an I/O error is about.
pub(super) trait Io<T> {
    /// `doing` completes "cannot ...".
    fn io(self, doing: &'static str, path: &Path) -> Result<T, BuildError>;
}

impl<T> Io<T> for io::Result<T> {
    fn io(self, doing: &'static str, path: &Path) -> Result<T, BuildError> {
        self.map_err(|source| BuildError::Io {
            doing,
            path: path.to_owned(),
            source,
        })
    }
}
