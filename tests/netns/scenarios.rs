//! The shipped scenarios pass, and those in `steps/`, which only the tests use.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use deadpeer::model::Hz;
use deadpeer::prepare::prepare;
use deadpeer::{kernel, scenario};
use libtest_mimic::Trial;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::harness::{run, source};
use crate::pace;

/// One trial for each file of the two directories.
pub(crate) fn trials() -> Vec<Trial> {
    let folders = [("scenario", "scenarios"), ("steps", "tests/netns/steps")];
    let of = |(kind, folder): (&'static str, &str)| {
        let files = files(folder).expect("a folder of the source tree can be read");
        assert!(!files.is_empty(), "{folder} has no scenario");
        files.into_iter().map(move |file| trial(kind, file))
    };
    folders.into_iter().flat_map(of).collect()
}

/// The trial measures the time of the whole run, so it runs alone.
pub(crate) fn trials_alone() -> Vec<Trial> {
    vec![pace::alone(
        "scenarios::all_at_once_take_no_longer_than_the_longest_case",
        all_at_once_take_no_longer_than_the_longest_case,
    )]
}

fn files(folder: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut files = std::fs::read_dir(source(folder))?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    Ok(files)
}

fn trial(kind: &str, file: PathBuf) -> Trial {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    pace::waiting(format!("{kind}::{name}"), move || {
        let path = file.to_str().context("a path that is not UTF-8")?;
        run(&["--deny-skips", path])?.exits(0)?.never_says("FAIL")?;
        Ok(())
    })
}

/// Processor time of all processes, and of the harness. Processor time of other processes delays
/// the harness.
struct Others {
    busy: Duration,
    own: Duration,
}

impl Others {
    fn now() -> anyhow::Result<Self> {
        // In ticks of sysconf(_SC_CLK_TCK), 100 per second on Linux: user, nice, system, idle,
        // iowait, irq, softirq, steal (proc_stat(5)).
        let stat = std::fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().context("/proc/stat is empty")?;
        let ticks: Vec<u64> = line
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let busy = ticks.iter().take(8).sum::<u64>() - ticks[3] - ticks[4];
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let time = |time: TimeVal| Duration::from_micros(time.num_microseconds().unsigned_abs());
        Ok(Self {
            busy: Duration::from_millis(busy * 10),
            own: time(usage.user_time()) + time(usage.system_time()),
        })
    }

    /// The maximum delay of the harness by other processes: their processor time divided by the
    /// number of processors.
    fn since(&self) -> anyhow::Result<Duration> {
        let now = Self::now()?;
        let processors = u32::try_from(std::thread::available_parallelism()?.get())?;
        let busy = now.busy.saturating_sub(self.busy);
        Ok(busy.saturating_sub(now.own.saturating_sub(self.own)) / processors)
    }
}

fn all_at_once_take_no_longer_than_the_longest_case() -> anyhow::Result<()> {
    /// The time to build about two hundred namespaces, on a busy machine.
    const OVERHEAD: Duration = Duration::from_secs(2);
    // The scenarios in subdirectories are for virtual time.
    let files = files("scenarios")?;
    let scenarios =
        scenario::load(&files).map_err(|wrong| anyhow::anyhow!("{}", wrong.render(false)))?;
    let cases = prepare(scenarios, kernel::hz().unwrap_or(Hz::COARSEST))
        .ok()
        .context("a scenario without a window")?;
    let longest = cases.iter().map(|case| case.duration()).max();
    let longest = longest.context("no case")?;
    let paths = files.iter().map(|file| file.to_string_lossy());
    let arguments: Vec<_> = std::iter::once("--deny-skips".into())
        .chain(paths)
        .collect();
    let others = Others::now()?;
    let finished = run(&arguments)?;
    finished.exits(0)?;
    let (elapsed, limit) = (finished.elapsed, longest + OVERHEAD + others.since()?);
    ensure!(
        elapsed <= limit,
        "{elapsed:?}, and the longest case takes {longest:?}\n{}",
        finished.out
    );
    Ok(())
}
