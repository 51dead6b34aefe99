//! From the source to a kernel in the cache.

use std::env::consts::ARCH;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, thread};

use super::cache::{Cache, Kernel};
use super::command::Log;
use super::edits::{apply, edits};
use super::error::{BuildError, Io};
use super::recipe::{CONFIGURE, ENVIRONMENT, FRAGMENT, MAKE, Wanted};
use super::source::Source;
use super::stop::Stop;
use super::version::Version;
use super::workshop::Workshop;
use super::{NotFound, config, tools};

/// What a build is at.
#[derive(Debug, Clone, Copy)]
pub enum Stage<'s> {
    /// Another process builds the same kernel.
    Waiting,
    /// The source comes from apt.
    Downloading,
    /// The source is taken from here.
    Unpacking(&'s Path),
    /// The configuration is made and verified.
    Configuring(Version),
    /// A file is made: its number, and its name as make says it.
    Making(usize, &'s str),
}

/// The kernel that is asked for: the one in the cache, or a new one, built from the source that is named (a tree or a tarball) or from
/// the distribution's package. A source that is named is always built.
///
/// # Errors
/// [`BuildError`]; the cache is then as before.
pub fn build(
    cache: &Cache,
    wanted: Wanted,
    named: Option<&Path>,
    stop: &Stop,
    tell: &mut dyn FnMut(Stage<'_>),
) -> Result<Kernel, BuildError> {
    if ARCH != "x86_64" {
        return Err(BuildError::Architecture(ARCH));
    }
    cache.clean()?;
    if let Some(kernel) = already_built(cache, wanted, named)? {
        return Ok(kernel);
    }
    if let Some(path) = named {
        path.metadata().io("build from", path)?;
    }
    let source = Source::choose(named, wanted.series);
    let missing = tools::missing(matches!(source, Source::Download));
    if !missing.is_empty() {
        return Err(BuildError::Tools { missing });
    }
    let workshop = Workshop::open(cache.folder(), wanted, stop, || tell(Stage::Waiting))?;
    // The build that it has waited for may have been just this one.
    if let Some(kernel) = already_built(cache, wanted, named)? {
        return Ok(kernel);
    }
    let log = cache
        .folder()
        .join(format!("build-{}-hz{}.log", wanted.series, wanted.hz.get()));
    let mut work = Work {
        folder: workshop.folder(),
        log: Log::create(log, stop.clone())?,
        tell,
    };
    let (version, program) = work.make(&source, wanted)?;
    cache.keep(&program, version, wanted)
}

fn already_built(
    cache: &Cache,
    wanted: Wanted,
    named: Option<&Path>,
) -> Result<Option<Kernel>, BuildError> {
    if named.is_some() {
        return Ok(None);
    }
    match cache.find(wanted) {
        Ok(kernel) => Ok(Some(kernel)),
        Err(NotFound::Unreadable(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// A build in its folder.
struct Work<'w> {
    folder: &'w Path,
    log: Log,
    tell: &'w mut dyn FnMut(Stage<'_>),
}

impl Work<'_> {
    /// The finished program, on disk as a whole.
    fn make(
        &mut self,
        source: &Source<'_>,
        wanted: Wanted,
    ) -> Result<(Version, PathBuf), BuildError> {
        let tree = self.folder.join("source");
        let version = source.unpack(wanted.series, self.folder, &tree, &mut self.log, self.tell)?;
        apply(&edits(wanted), &tree)?;
        self.configure(&tree, version, wanted)?;
        self.compile(&tree)?;
        let program = self.strip()?;
        Ok((version, program))
    }

    fn configure(
        &mut self,
        tree: &Path,
        version: Version,
        wanted: Wanted,
    ) -> Result<(), BuildError> {
        (self.tell)(Stage::Configuring(version));
        let fragment = self.folder.join("uml.config");
        fs::write(&fragment, FRAGMENT).io("write", &fragment)?;
        let mut make = self.make_in(tree);
        make.args(CONFIGURE);
        self.log.run(make, |_| {})?;
        let path = self.folder.join("out/.config");
        let taken = fs::read_to_string(&path).io("read", &path)?;
        let dropped = config::dropped(FRAGMENT, &taken, wanted.series);
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
        let mut make = self.make_in(tree);
        make.args(["--jobs", &jobs.to_string(), "linux"]);
        let tell = &mut self.tell;
        let mut made = 0;
        self.log.run(make, |line| {
            if let Some(name) = made_file(line) {
                made += 1;
                tell(Stage::Making(made, name));
            }
        })
    }

    fn strip(&mut self) -> Result<PathBuf, BuildError> {
        let (whole, stripped) = (self.folder.join("out/linux"), self.folder.join("linux"));
        let mut strip = Command::new("strip");
        strip.arg("-o").arg(&stripped).arg(&whole);
        self.log.run(strip, |_| {})?;
        // A kernel that a power failure has cut short would count as one.
        let file = File::open(&stripped).io("open", &stripped)?;
        file.sync_all().io("write", &stripped)?;
        Ok(stripped)
    }

    /// `make` in the source, with nothing of the caller's environment that could change what is built.
    fn make_in(&self, tree: &Path) -> Command {
        let mut make = Command::new("make");
        make.current_dir(tree).args(MAKE).env_clear();
        make.envs(ENVIRONMENT);
        for name in ["PATH", "TMPDIR"] {
            make.envs(env::var_os(name).map(|value| (name, value)));
        }
        make
    }
}

/// The file that a line of make's output is about: `  CC      net/ipv4/tcp.o`.
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
    fn the_lines_of_make_that_name_a_file_are_told_from_others() {
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
