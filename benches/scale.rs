//! Compares the detection time of a thousand concurrent labs with that of one lab, and measures the
//! duration and the memory of the run. Fails if a bound is exceeded.
//!
//! Needs root or unprivileged user namespaces, and an idle machine.
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
/// The number of runs of the single lab, one after the other.
const ALONE: usize = 5;

const SHIFT: Duration = Duration::from_millis(30);
const BEYOND_THE_LONGEST: Duration = Duration::from_secs(10);
const MEMORY: u64 = 300 * 1024 * 1024;

/// The results of one run of the harness.
struct Run {
    took: Duration,
    results: Vec<CaseResult>,
    /// The maximum number of concurrent labs.
    labs: usize,
    /// The maximum resident memory in bytes.
    memory: u64,
}

fn main() {
    let one = run(&["--repeat", &ALONE.to_string(), "-j", "1"]);
    let many = run(&["--repeat", &LABS.to_string()]);
    let detection = |run: &Run| median(run.results.iter().map(detected).collect());
    let (alone, concurrent) = (detection(&one), detection(&many));
    let longest = many.results.iter().map(observed).max().unwrap();
    let shift = concurrent.abs_diff(alone);
    println!(
        "from the fault to the error, median:  alone {alone:?}, beside {LABS} others {concurrent:?}, shift {shift:?}"
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

/// The maximum number of labs and of bytes of resident memory while the harness runs. A lab of two
/// hosts holds two namespaces. The harness holds a third one for itself, which the integer division
/// ignores.
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

/// The peak resident memory in bytes: `VmHWM` (proc_pid_status(5)).
fn most_resident(process: &Path) -> Option<u64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The time from the fault to the error.
fn detected(result: &CaseResult) -> Duration {
    let observation = result
        .observation
        .as_ref()
        .expect("a case that was observed");
    let (_, at) = observation.ends[0].connections[0].ended.expect("an error");
    at.since(observation.zero)
}

/// The time from the creation of the first namespace to the error.
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
