//! The harness opens, creates and replaces files with the rights of the user who called sudo, and
//! guests have no rights.
//!
//! If the tests run as root, they start the harness as sudo does. Without root, they start it
//! directly, and the same must hold for the user who runs the tests.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::ensure;
use libtest_mimic::Trial;
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::harness::{Finished, LIMIT, Running, command_as_nobody, source};
use crate::pace;
use crate::privileges::{forbidding_switch, readable_copy};

const NOBODY: u32 = 65534;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        pace::waiting("rights::what_the_caller_may_not_read_is_not_read", reading),
        pace::waiting("rights::what_is_written_is_the_callers", writing),
        pace::waiting(
            "rights::what_the_caller_may_not_write_is_not_replaced",
            replacing,
        ),
        pace::waiting("rights::a_lab_needs_three_capabilities", of_a_lab),
        pace::waiting("rights::a_guest_has_no_rights", of_a_guest),
        pace::waiting(
            "rights::a_guest_without_root_has_none_either",
            of_a_guest_without_root,
        ),
        pace::waiting("rights::sudo_names_its_caller_by_a_number", no_caller),
    ]
}

/// The harness, started as sudo starts it if the tests run as root.
fn by_sudo(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    if geteuid().is_root() {
        let nobody = NOBODY.to_string();
        command.env("SUDO_UID", &nobody).env("SUDO_GID", &nobody);
    }
    command
}

/// The expected owner of the files that the harness writes.
fn caller() -> u32 {
    if geteuid().is_root() {
        NOBODY
    } else {
        geteuid().as_raw()
    }
}

/// A directory that all users may read, with a copy of the harness.
fn place() -> anyhow::Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let binary = readable_copy(Path::new(env!("CARGO_BIN_EXE_harness")), &folder)?;
    Ok((folder, binary))
}

/// Makes the directory writable for all users.
fn open(folder: &TempDir) -> anyhow::Result<()> {
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
    Ok(())
}

fn run(command: Command, arguments: &[&str]) -> anyhow::Result<Finished> {
    Running::start(command, arguments)?.finish(LIMIT)
}

/// Removes all permissions of a file, so that only root can read or write it.
fn closed(file: &Path) -> anyhow::Result<&str> {
    fs::set_permissions(file, Permissions::from_mode(0o000))?;
    file.to_str()
        .ok_or_else(|| anyhow::anyhow!("a path that is not UTF-8"))
}

fn reading() -> anyhow::Result<()> {
    let (folder, binary) = place()?;
    let readable = readable_copy(&source("scenarios/alive.toml"), &folder)?;
    let readable = readable.to_string_lossy();
    let scenario = readable_copy(&source("scenarios/crashed.toml"), &folder)?;
    let scenario = closed(&scenario)?;
    let kernel = readable_copy(&env::current_exe()?, &folder)?;
    let kernel = closed(&kernel)?;
    for arguments in [
        &["check", scenario][..],
        &["list", scenario],
        &["trace", scenario],
        &["run", scenario],
        &["run", "--kernel", kernel, &readable],
        &["run", "--kernels", &format!("native,{kernel}"), &readable],
    ] {
        let output = by_sudo(&binary).args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
        ensure!(said.contains("Permission denied"), "{arguments:?}: {said}");
    }
    Ok(())
}

fn writing() -> anyhow::Result<()> {
    let (folder, binary) = place()?;
    let scenario = readable_copy(&source("scenarios/crashed.toml"), &folder)?;
    open(&folder)?;
    let [result, captures] = ["result.json", "deep/captures"].map(|name| folder.path().join(name));
    let before = "before";
    fs::write(&result, before)?;
    fs::set_permissions(&result, Permissions::from_mode(0o666))?;
    let arguments = [
        scenario.to_string_lossy(),
        "--filter=in-flight/ipv4".into(),
        format!("--report-json={}", result.display()).into(),
        format!("--pcap={}", captures.display()).into(),
    ];
    let arguments = arguments.each_ref().map(AsRef::as_ref);
    run(by_sudo(&binary), &arguments)?.exits(0)?;
    ensure!(fs::read_to_string(&result)? != before);
    let captured = fs::read_dir(&captures)?.map(|entry| Ok(entry?.path()));
    let captured = captured.collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(captured.len() == 1, "{captured:?}");
    let written = [
        &result,
        &captures,
        &folder.path().join("deep"),
        &captured[0],
    ];
    for path in written {
        let owner = path.metadata()?.uid();
        ensure!(owner == caller(), "{} is of {owner}", path.display());
    }
    Ok(())
}

/// A user who may write to a directory could replace a file in it that the user may not write.
fn replacing() -> anyhow::Result<()> {
    let (folder, binary) = place()?;
    let scenario = readable_copy(&source("scenarios/crashed.toml"), &folder)?;
    open(&folder)?;
    let result = folder.path().join("result.json");
    fs::write(&result, "before")?;
    let arguments = [
        "--report-json",
        closed(&result)?,
        &scenario.to_string_lossy(),
    ];
    let refused = run(by_sudo(&binary), &arguments)?;
    let expected = format!("cannot write {}: Permission denied", result.display());
    refused.exits(3)?.says(&[&expected])?;
    ensure!(refused.out.is_empty(), "{}", refused.out);
    fs::set_permissions(&result, Permissions::from_mode(0o600))?;
    ensure!(fs::read_to_string(&result)? == "before");
    Ok(())
}

/// `CAP_NET_ADMIN`, `CAP_NET_RAW` and `CAP_SYS_ADMIN`. A root without sudo needs others for its
/// files and guests.
fn of_a_lab() -> anyhow::Result<()> {
    let (folder, binary) = place()?;
    let scenario = readable_copy(&source("scenarios/alive.toml"), &folder)?;
    let mut running = Running::start(by_sudo(&binary), &[&scenario.to_string_lossy()])?;
    running.wait_for(" pass ")?;
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid()))?;
    for line in [
        "CapPrm:\t0000000000203000\n".to_owned(),
        "CapEff:\t0000000000203000\n".to_owned(),
        "CapInh:\t0000000000000000\n".to_owned(),
        "NoNewPrivs:\t1\n".to_owned(),
        format!("Uid:\t{0}\t{0}\t{0}\t{0}\n", caller()),
    ] {
        ensure!(status.contains(&line), "{line:?} is not in\n{status}");
    }
    running.finish(LIMIT)?.exits(0)?;
    Ok(())
}

/// Whether this program is started as the kernel of a guest (`src/guest/uml.rs`).
pub(crate) fn is_kernel(arguments: &[String]) -> bool {
    arguments
        .first()
        .is_some_and(|first| first.starts_with("mem="))
}

/// Prints the status and the personality of this process on the guest's console, and ends.
#[expect(clippy::print_stdout, reason = "standard output is the console")]
pub(crate) fn tell() -> ExitCode {
    println!("{}", fs::read_to_string("/proc/self/status").unwrap());
    println!("{}", fs::read_to_string("/proc/self/personality").unwrap());
    ExitCode::SUCCESS
}

/// The same holds for a guest in a run that also has labs on this kernel, and for a root without
/// sudo.
fn of_a_guest() -> anyhow::Result<()> {
    let (folder, binary) = place()?;
    let kernel = readable_copy(&env::current_exe()?, &folder)?;
    let alone = kernel.display().to_string();
    for kernels in [alone.clone(), format!("native,{alone}")] {
        let mut by_root = Command::new(&binary);
        by_root.env_remove("SUDO_UID");
        for command in [by_sudo(&binary), by_root] {
            let told = told_by_guest(command, &kernels, &folder)?;
            if geteuid().is_root() {
                let ids = format!("{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}\n");
                for line in [format!("\nUid:\t{ids}"), format!("\nGid:\t{ids}")] {
                    ensure!(told.contains(&line), "{line:?} is not in\n{told}");
                }
            }
        }
    }
    Ok(())
}

/// Without root, the guest is root of a user namespace of the harness. If the tests run as root,
/// they start the harness as `nobody`.
fn of_a_guest_without_root() -> anyhow::Result<()> {
    let (folder, binary) = place()?;
    let kernel = readable_copy(&env::current_exe()?, &folder)?;
    let kernels = format!("native,{}", kernel.display());
    let command = if geteuid().is_root() {
        command_as_nobody(&binary)
    } else {
        Command::new(&binary)
    };
    if let (true, Some(switch)) = (geteuid().is_root(), forbidding_switch()) {
        let scenario = readable_copy(&source("scenarios/alive.toml"), &folder)?;
        let refused = run(
            command,
            &["--kernels", &kernels, &scenario.to_string_lossy()],
        )?;
        refused.exits(3)?.says(&[&switch])?;
        return Ok(());
    }
    told_by_guest(command, &kernels, &folder).map(drop)
}

/// Runs a guest whose kernel runs `tell`, and returns its output, which must show that the guest
/// has no rights.
fn told_by_guest(command: Command, kernels: &str, folder: &TempDir) -> anyhow::Result<String> {
    let scenario = readable_copy(&source("scenarios/alive.toml"), folder)?;
    let refused = run(
        command,
        &["--kernels", kernels, &scenario.to_string_lossy()],
    )?;
    refused.exits(3)?;
    let told = refused.err.replace("  | ", "");
    for line in [
        "\nCapPrm:\t0000000000000000\n",
        "\nCapEff:\t0000000000000000\n",
        "\nNoNewPrivs:\t1\n",
        // The personality: addresses are not randomized. Otherwise a user-mode kernel restarts
        // itself without end.
        "\n00040000\n",
    ] {
        ensure!(told.contains(line), "{line:?} is not in\n{told}");
    }
    Ok(told)
}

/// An invalid `SUDO_UID` is an error for root, since files would be opened with root's rights. A
/// process that is not root was not started by sudo, and ignores it.
fn no_caller() -> anyhow::Result<()> {
    let (_folder, binary) = place()?;
    let output = Command::new(&binary)
        .arg("list")
        .env("SUDO_UID", "me")
        .output()?;
    if geteuid().is_root() {
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(3), "{output:?}");
        ensure!(said.contains("SUDO_UID=me is not the number"), "{said}");
    } else {
        ensure!(output.status.success(), "{output:?}");
    }
    Ok(())
}
