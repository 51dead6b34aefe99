//! The way from the source to a kernel in the cache.

use std::env::consts::ARCH;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, thread};

use crate::build_dir::BuildDir;
use crate::build_spec::{CONFIGURE, ENVIRONMENT, FRAGMENT, MAKE};
use crate::cache::{Cache, Kernel, NotFound};
use crate::command::{Log, Spawn};
use crate::edits::{apply, edits};
use crate::error::{BuildError, Io};
use crate::source::Source;
use crate::spec::KernelSpec;
use crate::stop::Stop;
use crate::version::Version;
use crate::{config, tools};

/// The stage of a build.
#[derive(Debug, Clone, Copy)]
pub enum Stage<'s> {
    /// Another process builds the same kernel.
    Waiting,
    /// Apt downloads the source.
    Downloading,
    /// The source is unpacked from this path.
    Unpacking(&'s Path),
    /// The configuration is made and verified.
    Configuring(Version),
    /// Make makes a file: its number, and its name in the output of make.
    Making(usize, &'s str),
}

/// A request to build a kernel.
#[derive(Debug)]
pub struct Build<'b> {
    /// The cache, which takes the kernel.
    pub cache: &'b Cache,
    /// The kernel.
    pub spec: KernelSpec,
    /// The source, a tree or a tarball; `None` for the distribution's package.
    pub source: Option<&'b Path>,
    /// Starts the programs of the build.
    pub spawn: Spawn,
    /// Cancels the build.
    pub stop: &'b Stop,
}

impl Build<'_> {
    /// The kernel in the cache, or else a new one. With a `source`, always a new one.
    ///
    /// # Errors
    /// [`BuildError`]. The cache is then unchanged.
    pub fn run(&self, report: &mut dyn FnMut(Stage<'_>)) -> Result<Kernel, BuildError> {
        if ARCH != "x86_64" {
            return Err(BuildError::Architecture(ARCH));
        }
        self.cache.clean()?;
        if let Some(kernel) = self.already_built()? {
            return Ok(kernel);
        }
        if let Some(path) = self.source {
            path.metadata().io("build from", path)?;
        }
        let source = Source::choose(self.source, self.spec.series);
        let missing = tools::missing(matches!(source, Source::Download));
        if !missing.is_empty() {
            return Err(BuildError::Tools { missing });
        }
        let cache = self.cache.dir();
        let dir = BuildDir::open(cache, self.spec, self.stop, || report(Stage::Waiting))?;
        // Another process may have built this kernel while this one waited.
        if let Some(kernel) = self.already_built()? {
            return Ok(kernel);
        }
        let KernelSpec { series, tick } = self.spec;
        let log = cache.join(format!("build-{series}-hz{tick}.log"));
        let mut work = Work {
            dir: dir.path(),
            log: Log::create(log, self.spawn, self.stop.clone())?,
            report,
        };
        let (version, program) = work.make(&source, self.spec)?;
        self.cache.keep(&program, version, self.spec)
    }

    fn already_built(&self) -> Result<Option<Kernel>, BuildError> {
        if self.source.is_some() {
            return Ok(None);
        }
        match self.cache.find(self.spec) {
            Ok(kernel) => Ok(Some(kernel)),
            Err(NotFound::Unreadable(error)) => Err(error),
            Err(NotFound::NotBuilt { .. } | NotFound::NoHome(_)) => Ok(None),
        }
    }
}

/// A build in its directory.
struct Work<'w> {
    dir: &'w Path,
    log: Log,
    report: &'w mut dyn FnMut(Stage<'_>),
}

impl Work<'_> {
    /// Makes the program and writes it to the disk.
    fn make(
        &mut self,
        source: &Source<'_>,
        spec: KernelSpec,
    ) -> Result<(Version, PathBuf), BuildError> {
        let tree = self.dir.join("source");
        let version = source.unpack(spec.series, self.dir, &tree, &mut self.log, self.report)?;
        apply(&edits(spec), &tree)?;
        self.configure(&tree, version, spec)?;
        self.compile(&tree)?;
        let program = self.strip()?;
        Ok((version, program))
    }

    fn configure(
        &mut self,
        tree: &Path,
        version: Version,
        spec: KernelSpec,
    ) -> Result<(), BuildError> {
        (self.report)(Stage::Configuring(version));
        let fragment = self.dir.join("uml.config");
        fs::write(&fragment, FRAGMENT).io("write", &fragment)?;
        let mut make = make_in(tree);
        make.args(CONFIGURE);
        self.log.run(make, |_| {})?;
        let path = self.dir.join("out/.config");
        let config = fs::read_to_string(&path).io("read", &path)?;
        let dropped = config::dropped(FRAGMENT, &config, spec.series);
        if dropped.is_empty() {
            return Ok(());
        }
        Err(BuildError::Configuration {
            version,
            lines: dropped.into_iter().map(str::to_owned).collect(),
        })
    }

    fn compile(&mut self, tree: &Path) -> Result<(), BuildError> {
        let jobs = thread::available_parallelism().map_or(1, usize::from);
        let mut make = make_in(tree);
        make.args(["--jobs", &jobs.to_string(), "linux"]);
        let report = &mut self.report;
        let mut number = 0;
        self.log.run(make, |line| {
            if let Some(name) = made_file(line) {
                number += 1;
                report(Stage::Making(number, name));
            }
        })
    }

    fn strip(&mut self) -> Result<PathBuf, BuildError> {
        let (whole, stripped) = (self.dir.join("out/linux"), self.dir.join("linux"));
        let mut strip = Command::new("strip");
        strip.arg("-o").arg(&stripped).arg(&whole);
        self.log.run(strip, |_| {})?;
        // After a power failure the cache must not contain a truncated kernel.
        let file = File::open(&stripped).io("open", &stripped)?;
        file.sync_all().io("write", &stripped)?;
        Ok(stripped)
    }
}

/// `make` in the source, without the variables of the caller's environment that could change the
/// kernel.
fn make_in(tree: &Path) -> Command {
    let mut make = Command::new("make");
    make.current_dir(tree).args(MAKE).env_clear();
    make.envs(ENVIRONMENT);
    for name in ["PATH", "TMPDIR"] {
        make.envs(env::var_os(name).map(|value| (name, value)));
    }
    make
}

/// The file in a line of make's output: `  CC      net/ipv4/tcp.o`.
fn made_file(line: &str) -> Option<&str> {
    let mut words = line.strip_prefix("  ")?.split_whitespace();
    let verb = words.next()?;
    let is_verb = verb.bytes().all(|byte| byte.is_ascii_uppercase());
    words.next().filter(|_| is_verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_with_a_verb_and_a_file_name_a_file() {
        assert_eq!(
            made_file("  CC      net/ipv4/tcp.o"),
            Some("net/ipv4/tcp.o")
        );
        assert_eq!(made_file("  LD      vmlinux"), Some("vmlinux"));
        for other in [
            "make[1]: Entering directory '/x'",
            "  CC",
            "  in expansion of macro",
            "",
        ] {
            assert_eq!(made_file(other), None, "{other}");
        }
    }
}
