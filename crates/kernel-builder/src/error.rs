//! The errors of a build.

use std::io;
use std::path::{Path, PathBuf};

use crate::spec::Series;
use crate::tools::{Tool, install_command};
use crate::version::Version;

/// A kernel could not be built, or the cache could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The build was stopped.
    #[error("stopped; the partial build is removed")]
    Stopped,
    /// User-mode Linux exists for x86 only.
    #[error("kernels for user mode can be built on x86_64 only, and this is {0}")]
    Architecture(&'static str),
    /// Programs or libraries that the build needs are not installed.
    #[error(
        "the build needs programs or libraries that are not installed: {}\n  {}",
        names(missing),
        install_command(missing)
    )]
    Tools {
        /// All that are missing.
        missing: Vec<Tool>,
    },
    /// Neither the system nor apt has the source.
    #[error("{}", no_source(*.series, log))]
    NoSource {
        /// The requested series.
        series: Series,
        /// The log, with the output of apt-get.
        log: PathBuf,
    },
    /// The source is not that of a Linux kernel.
    #[error("{} is not the source of a Linux kernel: no Makefile gives its version", path.display())]
    NotLinux {
        /// The tree or tarball.
        path: PathBuf,
    },
    /// The source belongs to another series.
    #[error("{} is the source of Linux {found}, not {series}", path.display())]
    OtherVersion {
        /// The tree or tarball.
        path: PathBuf,
        /// The version of the source.
        found: Version,
        /// The requested series.
        series: Series,
    },
    /// The source is not the one that an edit was written for.
    #[error("{} does not contain this text exactly once:\n  {}\nThis version of the harness cannot change that source for guests: the edit must be adapted to it.", path.display(), old.trim())]
    Edit {
        /// The file.
        path: PathBuf,
        /// The text that the edit replaces.
        old: &'static str,
    },
    /// Kconfig dropped lines of the fragment.
    #[error("Linux {version} does not accept this configuration: {}\nThe symbols are unknown, or depend on others that are not set.", lines.join(", "))]
    Configuration {
        /// The version of the kernel.
        version: Version,
        /// The dropped lines.
        lines: Vec<String>,
    },
    /// A program failed.
    #[error("{program} failed ({status}); the last lines of {}:\n{tail}", log.display())]
    Program {
        /// The name of the program.
        program: String,
        /// The exit status.
        status: String,
        /// The log, with the output of the program.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// An operation on a file failed, or a program could not be started.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// The operation.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

fn names(missing: &[Tool]) -> String {
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

/// Adds the operation and the file to an I/O error.
pub(crate) trait Io<T> {
    /// `operation` completes the sentence "cannot ... FILE".
    fn io(self, operation: &'static str, path: &Path) -> Result<T, BuildError>;
}

impl<T> Io<T> for io::Result<T> {
    fn io(self, operation: &'static str, path: &Path) -> Result<T, BuildError> {
        self.map_err(|source| BuildError::Io {
            operation,
            path: path.to_owned(),
            source,
        })
    }
}
