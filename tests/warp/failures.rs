//! A guest that fails gives an error with the last lines of its console, and no result.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use deadpeer::guest::{Failure, GuestError, GuestMachine, run};
use libtest_mimic::{Failed, Trial};

use crate::guest::{LIMIT, answer, runtime};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("failures::a_panic_in_the_handler", a_panic_in_the_handler),
        Trial::test("failures::init_exits", init_exits),
        Trial::test("failures::the_last_lines", the_last_lines),
        Trial::test("failures::a_guest_that_waits_for_ever", waits_for_ever),
        Trial::test("failures::a_guest_that_spins", spins),
        Trial::test("failures::no_kernel", no_kernel),
        Trial::test("failures::not_a_kernel", not_a_kernel),
        Trial::test("failures::another_versions_kernel", another_versions_kernel),
    ]
}

fn failure(job: &str, limit: Duration) -> GuestError {
    answer(job.as_bytes(), limit).expect_err("the guest must fail")
}

fn a_panic_in_the_handler() -> Result<(), Failed> {
    let error = failure("panic at the disco", LIMIT);
    let Failure::Panicked(message) = &error.failure else {
        return Err(error.into());
    };
    assert_eq!(message, "at the disco");
    assert!(error.console.contains("tests/warp/jobs.rs"), "{error}");
    Ok(())
}

fn init_exits() -> Result<(), Failed> {
    let error = failure("exit", LIMIT);
    assert!(matches!(error.failure, Failure::Ended(_)), "{error}");
    assert!(error.console.contains("Attempted to kill init"), "{error}");
    Ok(())
}

fn the_last_lines() -> Result<(), Failed> {
    let error = failure("say 200000", LIMIT);
    let lines: Vec<&str> = error.console.lines().collect();
    assert!(lines.len() <= 80, "{error}");
    assert!(!lines.contains(&"line 1"), "{error}");
    let message = error.to_string();
    assert!(message.contains("\n  | "), "{message}");
    Ok(())
}

fn waits_for_ever() -> Result<(), Failed> {
    stopped_at_the_limit("wait").map(drop)
}

fn spins() -> Result<(), Failed> {
    let error = stopped_at_the_limit("spin until the end")?;
    assert!(error.console.contains("until the end"), "{error}");
    Ok(())
}

fn stopped_at_the_limit(job: &str) -> Result<GuestError, Failed> {
    let limit = Duration::from_secs(1);
    let start = Instant::now();
    let error = failure(job, limit);
    let taken = start.elapsed();
    assert!(matches!(error.failure, Failure::Limit(_)), "{error}");
    assert!(error.to_string().contains("after 1s"), "{error}");
    assert!(taken >= limit && taken < 3 * limit, "{taken:?}");
    Ok(error)
}

fn no_kernel() -> Result<(), Failed> {
    let error = started("/nonexistent/linux");
    let expected =
        "guest kernel /nonexistent/linux: cannot start it: No such file or directory (os error 2)";
    assert_eq!(error.to_string(), expected);
    Ok(())
}

/// A program that prints something and ends.
fn not_a_kernel() -> Result<(), Failed> {
    let error = started("/bin/echo");
    assert!(matches!(error.failure, Failure::Ended(_)), "{error}");
    assert!(error.console.contains("time-travel"), "{error}");
    Ok(())
}

/// A program that prints the message of a kernel that cannot read its initramfs.
fn another_versions_kernel() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let kernel = folder.path().join("linux");
    fs::write(
        &kernel,
        "#!/bin/sh\necho 'Kernel panic - not syncing: No working init found.'\nexit 1\n",
    )?;
    fs::set_permissions(&kernel, fs::Permissions::from_mode(0o755))?;
    let error = started(kernel.to_str().ok_or("a path that is not UTF-8")?);
    assert!(matches!(error.failure, Failure::Foreign(_)), "{error}");
    let help = "build one with `harness kernel build`";
    assert!(error.to_string().contains(help), "{error}");
    Ok(())
}

fn started(kernel: &str) -> GuestError {
    let machine = GuestMachine::Uml {
        kernel: PathBuf::from(kernel),
    };
    let result = runtime().block_on(run(&machine, b"job", LIMIT));
    result.expect_err("this cannot be booted")
}
