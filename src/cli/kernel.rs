//! `harness kernel`: builds and lists kernels for virtual time.

use std::io::{self, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::{privilege, sys};
use anyhow::Context;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use kernel_builder::{Build, BuildError, Cache, Kernel, KernelSpec, Series, Stage, Stop, Tick};
use tokio::runtime::Builder;

use super::signals::Signals;
use super::{Exit, complain, ignore_broken_pipe};

/// The arguments of `kernel`.
#[derive(Debug, clap::Args)]
pub(super) struct KernelArguments {
    #[command(subcommand)]
    command: KernelCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KernelCommand {
    /// Build a kernel for virtual time, unless it is already built
    Build(BuildArguments),
    /// List the kernels that are built
    List,
}

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
struct BuildArguments {
    /// The kernel series: 6.1, 6.12 or 7.2
    #[arg(long, value_name = "SERIES", default_value_t = KernelSpec::default().series)]
    version: Series,
    /// The kernel's tick: 100, 250, 300 or 1000
    #[arg(long, value_name = "HZ", default_value_t = KernelSpec::default().tick)]
    hz: Tick,
    /// Build from this source, an unpacked tree or a tarball, instead of the distribution's
    /// package
    #[arg(long, value_name = "PATH")]
    source: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
The source is Debian's package linux-source-SERIES. If the package is not installed, apt-get downloads it; that of
7.2 comes from trixie-backports, which need not be among the system's package sources.
Neither the download nor the build needs root. The path of the kernel is printed on standard output.

Examples:
  harness kernel build
  harness kernel build --version 6.1 --hz 1000
  harness kernel build --source ~/linux-6.12.117.tar.xz";

pub(super) fn kernel(arguments: &KernelArguments) -> anyhow::Result<Exit> {
    let cache = Cache::of_user(privilege::home())?;
    match &arguments.command {
        KernelCommand::Build(arguments) => build(&cache, arguments),
        KernelCommand::List => list(&cache),
    }
}

fn build(cache: &Cache, arguments: &BuildArguments) -> anyhow::Result<Exit> {
    let spec = KernelSpec {
        series: arguments.version,
        tick: arguments.hz,
    };
    let begun = Instant::now();
    let mut progress = Progress::new(spec);
    let stop = Stop::default();
    stop_on_signal(stop.clone()).context("cannot listen to signals")?;
    let build = Build {
        cache,
        spec,
        source: arguments.source.as_deref(),
        spawn,
        stop: &stop,
    };
    let built = build.run(&mut |stage| progress.show(stage));
    progress.finish();
    match built {
        Ok(kernel) => {
            if progress.begun {
                let elapsed = Duration::from_secs(begun.elapsed().as_secs());
                let took = humantime::format_duration(elapsed);
                writeln!(anstream::stderr(), "built in {took}")?;
            }
            ignore_broken_pipe(writeln!(anstream::stdout(), "{}", kernel.path.display()))?;
            Ok(Exit::Passed)
        }
        Err(error) => {
            complain(&error.to_string());
            Ok(match error {
                BuildError::Stopped => Exit::Interrupted,
                _ => Exit::Environment,
            })
        }
    }
}

/// Starts a command. Its process is killed when the harness ends, even if the harness itself is
/// killed.
fn spawn(mut command: Command) -> io::Result<(Child, OwnedFd)> {
    let kill_on_drop = sys::leash(&mut command, Vec::new())?;
    Ok((command.spawn()?, kill_on_drop))
}

/// From then on, a signal stops the build instead of terminating the process. A build that is
/// stopped removes its files.
fn stop_on_signal(stop: Stop) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _in_runtime = runtime.enter();
        Signals::listen()?
    };
    thread::spawn(move || {
        runtime.block_on(signals.next());
        stop.stop();
    });
    Ok(())
}

/// Shows the progress of a build: one animated line on a terminal, or else a line for each stage.
struct Progress {
    spec: KernelSpec,
    bar: ProgressBar,
    /// Whether standard error is a terminal.
    moving: bool,
    begun: bool,
    /// The line of the stage that was written last.
    last: String,
}

impl Progress {
    fn new(spec: KernelSpec) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(
            ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        Self {
            spec,
            bar,
            moving: io::stderr().is_terminal(),
            begun: false,
            last: String::new(),
        }
    }

    fn show(&mut self, stage: Stage<'_>) {
        if self.moving && !self.begun {
            self.bar.enable_steady_tick(Duration::from_millis(200));
        }
        self.begun = true;
        let (what, detail) = wording(stage);
        if self.moving {
            self.bar
                .set_message(format!("{}: {what}{detail}", self.spec));
        } else if what != self.last {
            writeln!(anstream::stderr(), "{}: {what}", self.spec).ok();
            self.last = what;
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Returns the name of the stage, and its detail that changes often.
fn wording(stage: Stage<'_>) -> (String, String) {
    match stage {
        Stage::Waiting => (
            "waiting: another process is building it".to_owned(),
            String::new(),
        ),
        Stage::Downloading => ("downloading the source".to_owned(), String::new()),
        Stage::Unpacking(from) => (format!("unpacking {}", from.display()), String::new()),
        Stage::Configuring(version) => (format!("configuring {version}"), String::new()),
        Stage::Making(number, name) => ("compiling".to_owned(), format!(" {number}: {name}")),
    }
}

fn list(cache: &Cache) -> anyhow::Result<Exit> {
    // If leftovers cannot be removed, the kernels are listed all the same.
    if let Err(error) = cache.clean() {
        complain(&error.to_string());
    }
    let kernels = cache.kernels()?;
    if kernels.is_empty() {
        writeln!(
            anstream::stderr(),
            "no kernels in {}\n  build one: {}",
            cache.dir().display(),
            KernelSpec::default().build_command()
        )?;
        return Ok(Exit::Passed);
    }
    ignore_broken_pipe(print(&kernels))?;
    Ok(Exit::Passed)
}

fn print(kernels: &[Kernel]) -> io::Result<()> {
    let mut out = anstream::stdout();
    writeln!(
        out,
        "{:9} {:>5} {:>9} {:20} PATH",
        "VERSION", "HZ", "SIZE", "BUILT"
    )?;
    for kernel in kernels {
        writeln!(out, "{}", line(kernel))?;
    }
    Ok(())
}

fn line(kernel: &Kernel) -> String {
    format!(
        "{:9} {:>5} {:>9} {:20} {}{}",
        kernel.version.to_string(),
        kernel.tick,
        HumanBytes(kernel.size).to_string(),
        humantime::format_rfc3339_seconds(kernel.built),
        kernel.path.display(),
        if kernel.stale {
            "  (stale: built by another version of the harness; build it again)"
        } else {
            ""
        }
    )
}
