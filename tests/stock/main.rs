//! The tests on a distribution's kernel in QEMU. This program is also the init process of the
//! guests.
//!
//! They need QEMU and a kernel with modules, in `HARNESS_STOCK_KERNEL` and `HARNESS_STOCK_MODULES`
//! (`scripts/fetch-kernel` downloads both). If something is missing, they fail. None is skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that panics has failed, and says why on standard error"
)]

#[path = "../warp/jobs.rs"]
mod jobs;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use deadpeer::guest::{Accel, Failure, GuestError, GuestMachine, enter_if_guest, real_time, run};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

/// The time limit. With emulation, a boot takes seconds.
const LIMIT: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    enter_if_guest(jobs::handle);
    let words: Vec<String> = env::args().skip(1).collect();
    if let [mode, job] = words.as_slice()
        && mode == MODE
    {
        return inside(job);
    }
    let trials = vec![
        Trial::test("stock::a_job_comes_back", a_job_comes_back),
        Trial::test("stock::half_a_megabyte_passes", half_a_megabyte_passes),
        Trial::test("stock::hours_take_seconds", hours_take_seconds),
        Trial::test("stock::what_a_lab_needs_is_loaded", what_a_lab_needs),
        Trial::test("stock::init_exits", init_exits),
        Trial::test("stock::a_guest_that_waits_for_ever", waits_for_ever),
        Trial::test("stock::without_qemu_its_package_is_named", without_qemu),
        Trial::test("stock::a_killed_harness_leaves_nothing", a_killed_harness),
        Trial::test("stock::acceleration_is_proven_by_a_boot", acceleration),
        Trial::test("stock::a_scenario_runs_in_virtual_time", a_scenario),
        Trial::test("stock::a_wrong_expectation_fails", a_wrong_expectation),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The first argument with which this program runs a job.
const MODE: &str = "--run-a-job";

/// The environment variable that marks the processes of a test.
const MARK: &str = "DEADPEER_TEST";

fn inside(job: &str) -> ExitCode {
    match answer(Accel::Icount, job.as_bytes(), LIMIT) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn path(variable: &str) -> PathBuf {
    let path = env::var_os(variable);
    PathBuf::from(
        path.unwrap_or_else(|| panic!("{variable} must be set: see scripts/fetch-kernel")),
    )
}

fn machine(accel: Accel) -> GuestMachine {
    GuestMachine::Qemu {
        kernel: path("HARNESS_STOCK_KERNEL"),
        modules: Some(path("HARNESS_STOCK_MODULES")),
        accel,
    }
}

fn answer(accel: Accel, job: &[u8], limit: Duration) -> Result<Vec<u8>, GuestError> {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(run(&machine(accel), job, limit))
}

fn a_job_comes_back() -> Result<(), Failed> {
    for accel in [Accel::Icount, Accel::Tcg] {
        assert_eq!(answer(accel, b"a job", LIMIT)?, b"a job");
    }
    Ok(())
}

fn half_a_megabyte_passes() -> Result<(), Failed> {
    let job: Vec<u8> = (0..=250).cycle().take(500_000).collect();
    assert!(
        answer(Accel::Icount, &job, LIMIT)? == job,
        "the answer is another"
    );
    Ok(())
}

fn hours_take_seconds() -> Result<(), Failed> {
    let slept: u64 = text(&answer(Accel::Icount, b"sleep 7200", LIMIT)?).parse()?;
    assert_eq!(slept / 1_000_000_000, 7200);
    Ok(())
}

fn what_a_lab_needs() -> Result<(), Failed> {
    let modules = text(&answer(Accel::Icount, b"names /sys/module", LIMIT)?);
    for name in ["veth", "bridge", "sch_netem", "nf_tables"] {
        assert!(modules.lines().any(|module| module == name), "{name}");
    }
    Ok(())
}

fn init_exits() -> Result<(), Failed> {
    let error = answer(Accel::Icount, b"exit", LIMIT).expect_err("the guest must fail");
    assert!(matches!(error.failure, Failure::Ended(_)), "{error}");
    assert!(error.console.contains("Attempted to kill init"), "{error}");
    Ok(())
}

fn waits_for_ever() -> Result<(), Failed> {
    let limit = Duration::from_secs(15);
    let error = answer(Accel::Tcg, b"wait", limit).expect_err("the guest must fail");
    assert!(matches!(error.failure, Failure::Limit(_)), "{error}");
    Ok(())
}

fn without_qemu() -> Result<(), Failed> {
    let mut command = Command::new("/proc/self/exe");
    let output = command.args([MODE, "job"]).env("PATH", "").output()?;
    let message = String::from_utf8(output.stderr)?;
    let expected = "qemu-system-x86_64 is not installed: install the package qemu-system-x86";
    assert!(message.contains(expected), "{message}");
    Ok(())
}

fn a_killed_harness() -> Result<(), Failed> {
    let home = tempfile::tempdir()?;
    let mut command = Command::new("/proc/self/exe");
    command
        .args([MODE, "wait"])
        .env(MARK, home.path())
        .env("TMPDIR", home.path())
        .current_dir(&home);
    let mut harness = command.spawn()?;
    // One of the two is the harness itself.
    wait_until("QEMU runs", || marked(home.path()) == 2)?;
    harness.kill()?;
    harness.wait()?;
    wait_until("nothing is left", || marked(home.path()) == 0)?;
    assert_eq!(home.path().read_dir()?.count(), 0);
    Ok(())
}

/// The number of processes with this mark.
fn marked(mark: &Path) -> usize {
    let mark = format!("{MARK}={}", mark.display());
    let processes = Path::new("/proc").read_dir().unwrap();
    processes
        .filter_map(|entry| fs::read(entry.ok()?.path().join("environ")).ok())
        .filter(|environment| {
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == mark.as_bytes())
        })
        .count()
}

fn wait_until(what: &str, holds: impl Fn() -> bool) -> Result<(), Failed> {
    let start = Instant::now();
    while !holds() {
        if start.elapsed() > Duration::from_secs(5) {
            return Err(format!("not true within the time limit: {what}").into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The chosen acceleration works, whatever this machine permits.
fn acceleration() -> Result<(), Failed> {
    let GuestMachine::Qemu {
        kernel, modules, ..
    } = machine(Accel::Tcg)
    else {
        unreachable!("it was made as one");
    };
    let runtime = Runtime::new()?;
    let accel = runtime.block_on(real_time(&kernel, modules.as_deref()));
    assert_eq!(answer(accel, b"a job", LIMIT)?, b"a job");
    Ok(())
}

/// Runs the harness in virtual time, as a user does. Returns its output.
fn harness(arguments: &[&str], status: i32) -> Result<String, Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(["run", "--warp", "--kernel"])
        .arg(path("HARNESS_STOCK_KERNEL"))
        .arg("--modules")
        .arg(path("HARNESS_STOCK_MODULES"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    Ok(said)
}

/// A scenario of hours, with all parts of a lab: a bridge, a router, both families.
fn a_scenario() -> Result<(), Failed> {
    let filter = [
        "--deny-skips",
        "--filter",
        "defaults/crashed",
        "--filter",
        "defaults/rebooted",
    ];
    let said = harness(
        &[&filter[..], &["scenarios/real-time/defaults.toml"]].concat(),
        0,
    )?;
    for observed in [" ETIMEDOUT 78", " ECONNRESET 72"] {
        assert!(said.contains(observed), "{said}");
    }
    Ok(())
}

fn a_wrong_expectation() -> Result<(), Failed> {
    let said = harness(&["-q", "tests/netns/negative/wrong-errno.toml"], 1)?;
    assert!(said.contains("observed ETIMEDOUT 4."), "{said}");
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
