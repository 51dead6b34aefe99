//! The harness works without root. If the system forbids that, the error names the cause.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use deadpeer::privilege::without_privileges;
use libtest_mimic::Trial;
use nix::mount::{MsFlags, mount};
use nix::unistd::{chroot, geteuid};
use tempfile::TempDir;

use crate::cage::{self, Check};
use crate::harness::{Finished, LIMIT, Running, command, command_as_nobody, run, source};
use crate::pace;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    (
        "privileges::a_refusal_names_the_deciding_sysctl",
        refusal_names_the_sysctl,
    ),
    (
        "privileges::too_many_user_namespaces_are_told_from_network_namespaces",
        user_namespaces_are_counted,
    ),
    ("privileges::a_chroot_is_named", a_chroot_is_named),
    (
        "privileges::read_only_sysctls_are_named",
        read_only_sysctls_are_named,
    ),
    (
        "privileges::a_missing_proc_is_named",
        a_missing_proc_is_named,
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![pace::waiting(
        "privileges::a_user_without_root_runs_scenarios_or_learns_what_forbids_it",
        a_user_without_root_runs_scenarios,
    )];
    trials.extend(cage::trials(CHECKS, pace::waiting));
    trials
}

/// If the tests run as root, they start the harness as `nobody`; otherwise directly.
fn a_user_without_root_runs_scenarios() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let scenario = readable_copy(&source("scenarios/crashed.toml"), &folder)?;
    let binary = readable_copy(Path::new(env!("CARGO_BIN_EXE_harness")), &folder)?;
    let command = if geteuid().is_root() {
        command_as_nobody(&binary)
    } else {
        command()
    };
    let mut running = Running::start(command, &["--deny-skips", &scenario.to_string_lossy()])?;
    if let (true, Some(switch)) = (geteuid().is_root(), forbidding_switch()) {
        let words = [switch.as_str(), "sudo harness run"];
        running.finish(LIMIT)?.exits(3)?.says(&words)?;
        return Ok(());
    }
    running.wait_for(" pass ")?;
    has_no_privileges_outside(running.pid())?;
    running.finish(LIMIT)?.exits(0)?;
    Ok(())
}

/// The sysctl with which this system forbids user namespaces to other users than root, if there is
/// one. The harness must then name it.
pub(crate) fn forbidding_switch() -> Option<String> {
    let switches = [
        ("kernel/apparmor_restrict_unprivileged_userns", "1"),
        ("kernel/unprivileged_userns_clone", "0"),
        ("user/max_user_namespaces", "0"),
    ];
    switches.into_iter().find_map(|(path, forbidding)| {
        let value = fs::read_to_string(Path::new("/proc/sys").join(path)).ok()?;
        let name = path.replace('/', ".");
        (value.trim() == forbidding).then(|| format!("{name} = {forbidding}"))
    })
}

/// Copies a file to this directory, which becomes readable for all users.
pub(crate) fn readable_copy(file: &Path, folder: &TempDir) -> anyhow::Result<PathBuf> {
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    let copy = folder
        .path()
        .join(file.file_name().context("no file name")?);
    fs::copy(file, &copy)?;
    fs::set_permissions(&copy, Permissions::from_mode(0o755))?;
    Ok(copy)
}

/// Fails unless the process is root in its own user namespace and an ordinary user in this one.
fn has_no_privileges_outside(pid: u32) -> anyhow::Result<()> {
    let own = fs::read_link("/proc/self/ns/user")?;
    let its = fs::read_link(format!("/proc/{pid}/ns/user"))?;
    ensure!(own != its, "it is in our user namespace");
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let ids = status
        .lines()
        .filter(|line| line.starts_with("Uid:") || line.starts_with("Gid:"));
    let privileged = ids
        .flat_map(|line| line.split_whitespace().skip(1))
        .any(|id| id == "0");
    ensure!(!privileged, "{status}");
    let map = fs::read_to_string(format!("/proc/{pid}/uid_map"))?;
    let mapped: Vec<&str> = map.split_whitespace().collect();
    ensure!(
        mapped.len() == 3 && mapped[1] != "0" && mapped[2] == "1",
        "it has more than one user: {map}"
    );
    Ok(())
}

fn refusal_names_the_sysctl() -> anyhow::Result<()> {
    // The cage itself has one namespace already.
    cage::allow_no_namespace_at_all()?;
    let scenario = source("scenarios/alive.toml");
    run(&[scenario.to_string_lossy()])?.exits(3)?.says(&[
        "cannot create a network namespace: unshare(CLONE_NEWNET)",
        "user.max_net_namespaces = 0",
        "sudo sysctl user.max_net_namespaces=",
        "sudo harness run",
        WITHOUT,
    ])?;
    Ok(())
}

const WITHOUT: &str = "`--warp` needs none of this";

/// Runs the harness as a user without rights in the cage.
fn run_without_rights(mut command: Command, scenario: &Path) -> anyhow::Result<Finished> {
    without_privileges(&mut command);
    Running::start(command, &[scenario.to_string_lossy()])?.finish(LIMIT)
}

fn user_namespaces_are_counted() -> anyhow::Result<()> {
    fs::write("/proc/sys/user/max_user_namespaces", "0")?;
    run_without_rights(command(), &source("scenarios/alive.toml"))?
        .exits(3)?
        .says(&[
            "cannot create a network namespace: unshare(CLONE_NEWUSER)",
            "cause: user.max_user_namespaces = 0\n",
            "sudo sysctl user.max_user_namespaces=",
            WITHOUT,
        ])?;
    Ok(())
}

/// The directory contains everything that the program needs, but no file system is mounted at its
/// root.
fn a_chroot_is_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("tmp"))?;
    for name in ["usr", "lib", "lib64", "dev", "proc"] {
        let original = Path::new("/").join(name);
        if original.exists() {
            let here = folder.path().join(name);
            fs::create_dir(&here)?;
            let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some(&original), &here, None::<&str>, bind, None::<&str>)?;
        }
    }
    for file in [
        Path::new(env!("CARGO_BIN_EXE_harness")),
        &source("scenarios/alive.toml"),
    ] {
        readable_copy(file, &folder)?;
    }
    chroot(folder.path())?;
    env::set_current_dir("/")?;
    let refused = run_without_rights(Command::new("/harness"), Path::new("/alive.toml"))?;
    refused.exits(3)?.says(&[
        "cannot create a network namespace: unshare(CLONE_NEWUSER)",
        "cause: this process is in a chroot",
        WITHOUT,
    ])?;
    Ok(())
}

/// As in a container, in which even root may not write to sysctls.
fn read_only_sysctls_are_named() -> anyhow::Result<()> {
    const SYSCTLS: &str = "/proc/sys";
    let bind = |flags| mount(Some(SYSCTLS), SYSCTLS, None::<&str>, flags, None::<&str>);
    bind(MsFlags::MS_BIND | MsFlags::MS_REC)?;
    // A remount must keep the flags that the mount got outside of the cage.
    let flags = [
        MsFlags::MS_BIND,
        MsFlags::MS_REMOUNT,
        MsFlags::MS_RDONLY,
        MsFlags::MS_NOSUID,
        MsFlags::MS_NODEV,
        MsFlags::MS_NOEXEC,
    ];
    bind(flags.into_iter().collect())?;
    let scenario = source("scenarios/alive.toml");
    let refused = run(&[scenario.to_string_lossy()])?;
    refused
        .exits(3)?
        .says(&["cause: /proc/sys is mounted read-only", WITHOUT])?
        .never_says("sudo harness run")?;
    Ok(())
}

fn a_missing_proc_is_named() -> anyhow::Result<()> {
    let scenario = source("scenarios/alive.toml");
    mount(
        Some("none"),
        "/proc",
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )?;
    run(&[scenario.to_string_lossy()])?.exits(3)?.says(&[
        "cause: no proc file system is mounted at /proc",
        "mount -t proc proc /proc",
    ])?;
    Ok(())
}
