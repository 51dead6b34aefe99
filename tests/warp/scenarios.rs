//! Scenarios in virtual time, run by the harness as a user does.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use crate::guest::kernel;
use crate::traces::{open_to_all, without_privileges};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("scenarios::all_pass", all_pass),
        Trial::test("scenarios::all_pass_on_6.12", all_pass_on_6_12),
        Trial::test("scenarios::all_pass_on_6.1", all_pass_on_6_1),
        Trial::test("scenarios::kernels_side_by_side", side_by_side),
        Trial::test("scenarios::a_wrong_expectation_fails", a_wrong_expectation),
        Trial::test("scenarios::phases_show_the_window", phases),
        Trial::test("scenarios::a_file_may_have_any_name", any_name),
        Trial::test("scenarios::a_failure_names_its_run", a_run_is_named),
        Trial::test("scenarios::fail_fast_stops_other_kernels", fail_fast),
        Trial::test("scenarios::the_four_states_take_two_seconds", four_states),
        Trial::test("scenarios::virtual_time_needs_no_privilege", no_privilege),
        Trial::test("scenarios::virtual_time_needs_no_namespace", no_namespace),
        Trial::test("scenarios::real_time_is_too_slow_for_some", real_time),
        Trial::test("scenarios::what_this_kernel_may_lack_a_guest_has", netem),
    ]
}

pub(crate) fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn harness(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .arg("run")
        .args(arguments)
        .env("HARNESS_KERNEL", kernel())
        .current_dir(source(""));
    command
}

fn text(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    format!("{out}{err}")
}

/// Runs the harness, which must exit with this status. Returns its output.
pub(crate) fn run(arguments: &[&str], status: i32) -> Result<String, Failed> {
    let output = harness(arguments).output()?;
    let said = text(&output);
    match output.status.code() {
        Some(code) if code == status => Ok(said),
        _ => Err(format!("{} instead of {status}:\n{said}", output.status).into()),
    }
}

pub(crate) fn says(said: &str, expected: &str) -> Result<(), Failed> {
    if said.contains(expected) {
        Ok(())
    } else {
        Err(format!("`{expected}` is missing in\n{said}").into())
    }
}

/// Fails unless all cases pass, except those that need a feature that is newer than the kernel.
/// Guests have everything else. The skipped cases pass on a kernel that has the feature.
fn all_pass_but(arguments: &[&str], lacking: &[&str]) -> Result<(), Failed> {
    let said = run(&[&["--warp", "-q"], arguments, &["scenarios/"]].concat(), 0)?;
    let skipped: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("skip "))
        .collect();
    let matches = skipped.len() == lacking.len()
        && (skipped.iter().zip(lacking)).all(|(line, reason)| line.contains(reason));
    if matches {
        Ok(())
    } else {
        Err(format!("skipped are {skipped:#?}, and not for {lacking:?}").into())
    }
}

/// No case is skipped.
fn all_pass() -> Result<(), Failed> {
    all_pass_but(&[], &[])
}

/// The kernel series of Debian's stable release of 2025.
fn all_pass_on_6_12() -> Result<(), Failed> {
    all_pass_but(&["--kernel", "6.12"], &["TCP_RTO_MAX_MS (Linux 6.15)"])
}

/// The kernel series of Debian's stable release of 2023.
fn all_pass_on_6_1() -> Result<(), Failed> {
    let lacking = [
        "net.ipv4.tcp_syn_linear_timeouts",
        "seed for network emulation",
        "TCP_RTO_MAX_MS (Linux 6.15)",
    ];
    all_pass_but(&["--kernel", "6.1"], &lacking)
}

/// The kernels agree. A case that cannot run on one of them is not a difference.
fn side_by_side() -> Result<(), Failed> {
    let arguments = [
        "--kernels",
        "native,7.2,6.12,6.1",
        "--filter",
        "socket-options/ipv4",
    ];
    let said = run(&[&arguments[..], &["scenarios/crashed.toml"]].concat(), 0)?;
    let row = said
        .lines()
        .find(|line| line.starts_with("pass     crashed/"));
    let row = row.ok_or("no row")?;
    assert_eq!(row.matches("ETIMEDOUT 4.").count(), 4, "{row}");
    let arguments = ["--kernels", "native,6.12", "--filter", "rebooted/ipv4"];
    let said = run(&[&arguments[..], &["scenarios/real-time"]].concat(), 0)?;
    says(&said, "skip  ")?;
    says(&said, "ECONNRESET 72")?;
    assert!(!said.contains("<>"), "{said}");
    Ok(())
}

fn a_wrong_expectation() -> Result<(), Failed> {
    let scenario = "tests/netns/negative/wrong-errno.toml";
    let said = run(&["--warp", "-q", scenario], 1)?;
    says(&said, "FAIL")?;
    says(&said, "observed ETIMEDOUT")
}

/// The first timer of two hours of a connection can be up to 131 s late at HZ=250, and is so over
/// all phases of jiffies. (Each later timer starts when the previous one has fired, which is always
/// at the same phase.)
fn phases() -> Result<(), Failed> {
    let arguments = [
        "--warp",
        "--phases",
        "21",
        "--filter",
        "night/with-keepalive/ipv4",
    ];
    let said = run(&[&arguments[..], &["scenarios/real-time"]].concat(), 0)?;
    let row = said
        .lines()
        .find(|line| line.starts_with("pass     night/with-keepalive/ipv4"))
        .ok_or("no row")?;
    let cells: Vec<&str> = row.split_whitespace().collect();
    let seconds = |cell: &str| cell.trim_end_matches('s').parse::<f64>();
    let (min, median, max) = (seconds(cells[4])?, seconds(cells[5])?, seconds(cells[6])?);
    assert!((7880.0..7895.0).contains(&min), "{row}");
    assert!((7920.0..7975.0).contains(&median), "{row}");
    assert!((7998.0..8024.5).contains(&max), "{row}");
    Ok(())
}

/// The name of a directory need not be UTF-8.
fn any_name() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let strange = folder.path().join(OsStr::from_bytes(b"\xff"));
    fs::create_dir(&strange)?;
    let scenario = strange.join("wrong-errno.toml");
    fs::copy(source("tests/netns/negative/wrong-errno.toml"), &scenario)?;
    let output = harness(&["--warp"]).arg(&scenario).output()?;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    says(&said, "observed ETIMEDOUT")
}

/// The table of several kernels has one line for all phases of a case. A failure names its run.
fn a_run_is_named() -> Result<(), Failed> {
    let scenario = "tests/netns/negative/wrong-errno.toml";
    let variations = ["--kernels", "6.12,6.1", "--phases", "3", "--repeat", "2"];
    let said = run(&[&variations[..], &[scenario]].concat(), 1)?;
    let row = |line: &&str| line.starts_with("FAIL     wrong-errno/");
    let rows = said.lines().filter(row);
    assert_eq!(rows.count(), 1, "{said}");
    says(&said, "phase 3 of 3, run 2 of 2: wrong-errno/")?;
    assert_eq!(said.matches("FAIL on linux-6.1.").count(), 6, "{said}");
    says(&said, "12 runs of 1 case in ")
}

fn fail_fast() -> Result<(), Failed> {
    let scenario = "tests/netns/negative/wrong-errno.toml";
    let arguments = ["--fail-fast", "--kernels", "6.12,6.1", scenario];
    let said = run(&arguments, 1)?;
    says(&said, "0 passed, 1 failed, 1 stopped")
}

/// The limit is wall-clock time, with a margin for a busy machine.
fn four_states() -> Result<(), Failed> {
    let begun = Instant::now();
    run(&["--warp", "-q", "scenarios/real-time/defaults.toml"], 0)?;
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(10), "{taken:?}");
    Ok(())
}

/// The harness runs as a user without privileges.
fn no_privilege() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let [harness, linux, scenario] =
        ["harness", "linux", "night.toml"].map(|name| folder.path().join(name));
    fs::copy(env!("CARGO_BIN_EXE_harness"), &harness)?;
    fs::copy(kernel(), &linux)?;
    fs::copy(source("scenarios/real-time/night.toml"), &scenario)?;
    for path in [folder.path(), &harness, &linux] {
        open_to_all(path);
    }
    let mut command = without_privileges(&harness);
    command.args(["run", "--warp", "-q", "--kernel"]);
    let output = command.args([&linux, &scenario]).output()?;
    assert!(output.status.success(), "{}", text(&output));
    Ok(())
}

/// In a user namespace that permits neither another one nor a network namespace, so that a lab on
/// this kernel cannot be built.
fn no_namespace() -> Result<(), Failed> {
    let run_there = |arguments: &[&str]| {
        let forbid =
            "cd /proc/sys/user && echo 0 > max_user_namespaces && echo 0 > max_net_namespaces";
        let script = format!("({forbid}) && exec \"$@\"");
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "sh", "-c", &script, "sh"])
            .arg(env!("CARGO_BIN_EXE_harness"))
            .args([&["run", "-q"], arguments, &["scenarios/crashed.toml"]].concat())
            .env("HARNESS_KERNEL", kernel())
            .env_remove("SUDO_UID")
            .current_dir(source(""));
        command.output()
    };
    let refused = run_there(&[])?;
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    says(&text(&refused), "user.max_net_namespaces = 0")?;
    let passed = run_there(&["--warp"])?;
    assert!(passed.status.success(), "{}", text(&passed));
    Ok(())
}

/// The case is skipped with the reason, and the exit status is not that of a success.
fn real_time() -> Result<(), Failed> {
    let night = "scenarios/real-time/night.toml";
    let said = run(&[night], 4)?;
    says(&said, "skip")?;
    says(&said, "run it with --warp")?;
    run(&["--deny-skips", "-q", night], 4).map(drop)
}

/// Many kernels do not have netem. On them the case is skipped with the name of the missing
/// feature. On other kernels it passes.
fn netem() -> Result<(), Failed> {
    let slow = "scenarios/impaired/slow-path.toml";
    run(&["--warp", "--deny-skips", slow], 0)?;
    let said = run(&["--allow-skips", slow], 0)?;
    if said.contains("skip") {
        says(
            &said,
            "this kernel has no network emulation (CONFIG_NET_SCH_NETEM)",
        )?;
        run(&["--deny-skips", slow], 4)?;
    } else {
        run(&["--deny-skips", slow], 0)?;
    }
    Ok(())
}
