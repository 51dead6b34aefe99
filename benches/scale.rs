//! A thousand labs at once: how far their time of detection lies from that of one alone, and what
//! they take. Fails beyond a bound.
//!
//! Needs root, or unprivileged user namespaces. The machine should do nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program for people at the machine"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use deadpeer::outcome::{CaseResult, Verdict};
use deadpeer::record::Record;

const LABS: usize = 1000;
/// How often the case runs alone, one run after the other.
const ALONE: usize = 5;

const SHIFT: Duration = Duration::from_millis(30);
const BEYOND_THE_LONGEST: Duration = Duration::from_secs(10);
const MEMORY: u64 = 300 * 1024 * 1024;

/// What one run of the harness came to.
struct Run {
    took: Duration,
    results: Vec<CaseResult>,
    /// The most labs that were there at one time.
    labs: usize,
    /// The most memory that was resident, in bytes.
    memory: u64,
}

fn main() {
    let one = run(&["--repeat", &ALONE.to_string(), "-j", "1"]);
    let many = run(&["--repeat", &LABS.to_string()]);
    let detection = |run: &Run| median(run.results.iter().map(detected).collect());
    let (alone, other_family) = (detection(&one), detection(&many));
    let longest = many.results.iter().map(observed).max().unwrap();
    let shift = other_family.abs_diff(alone);
    println!(
        "from the fault to the error, median:  alone {alone:?}, beside {LABS} others {other_family:?}, shift {shift:?}"
    );
    println!(
        "all of them:                          {:?}, the longest case {longest:?}",
        many.took
    );
    println!("labs at once:                         {}", many.labs);
    println!(
        "resident memory at most:              {} MB",
        many.memory >> 20
    );
    let passed = |result: &&CaseResult| result.verdict == Verdict::Passed;
    assert_eq!(many.results.iter().filter(passed).count(), LABS);
    assert!(shift <= SHIFT, "a shift of more than {SHIFT:?}");
    let bound = longest + BEYOND_THE_LONGEST;
    assert!(many.took <= bound, "more than {bound:?}");
    assert!(many.memory < MEMORY, "more than {} MB", MEMORY >> 20);
}

fn run(arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("result.json");
    let begun = Instant::now();
    let mut harness = Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(["run", "-q", "--filter", "cable-pulled/direct/ipv4"])
        .args(arguments)
        .arg("--report-json")
        .arg(&file)
        .arg("scenarios/cable-pulled.toml")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (labs, memory) = watch(&mut harness);
    let took = begun.elapsed();
    let record = Record::read(&fs::read_to_string(file).unwrap()).unwrap();
    let results = record.kernels.into_iter().flat_map(|kernel| kernel.results);
    Run {
        took,
        results: results.collect(),
        labs,
        memory,
    }
}

/// What the harness has while it runs: each lab of two machines holds two namespaces, and the
/// harness lives in a third one.
fn watch(harness: &mut Child) -> (usize, u64) {
    let process = Path::new("/proc").join(harness.id().to_string());
    let (mut namespaces, mut memory) = (0, 0);
    while harness.try_wait().unwrap().is_none() {
        namespaces = namespaces.max(count_namespaces(&process).unwrap_or(0));
        memory = memory.max(most_resident(&process).unwrap_or(0));
        sleep(Duration::from_millis(100));
    }
    (namespaces / 2, memory)
}

fn count_namespaces(process: &Path) -> Option<usize> {
    let descriptors = fs::read_dir(process.join("fd")).ok()?.flatten();
    let of_network = |path: &Path| path.to_string_lossy().starts_with("net:[");
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    Some(targets.filter(|target| of_network(target)).count())
}

/// `VmHWM` (proc_pid_status(5)).
fn most_resident(process: &Path) -> Option<u64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// From the fault to the error.
fn detected(result: &CaseResult) -> Duration {
    let observation = result
        .observation
        .as_ref()
        .expect("a case that was observed");
    let (_, at) = observation.ends[0].connections[0].ended.expect("an error");
    at.since(observation.zero)
}

/// From the first namespace to the error.
fn observed(result: &CaseResult) -> Duration {
    result
        .observation
        .as_ref()
        .map_or(Duration::ZERO, |observation| observation.setup)
        + detected(result)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
