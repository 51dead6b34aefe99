//! Limits of the process that leave no room for a run: each is named, and none ends the program in
//! the middle of its work.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use nix::unistd::geteuid;

const NOBODY: u32 = 65534;

/// Runs a scenario under a limit, in a guest whose kernel is a program that is none: whether it is
/// started shows how far the run comes. As root, it is nobody's run, for few limits hold for root.
fn run_under(limit: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    open(folder.path());
    let copy = |file: &str, name: &str| {
        let copy = folder.path().join(name);
        fs::copy(file, &copy).unwrap();
        open(&copy);
        copy
    };
    let binary = copy(env!("CARGO_BIN_EXE_harness"), "harness");
    let scenario = copy("scenarios/alive.toml", "alive.toml");
    let mut command = Command::new("prlimit");
    command.args([limit, "--"]).arg(&binary);
    command
        .args(["run", "--kernel"])
        .arg(&binary)
        .arg(&scenario);
    command.current_dir(folder.path());
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
        .output()
        .expect("prlimit is in the package util-linux")
}

/// What is said of it.
fn refused(limit: &str) -> String {
    let output = run_under(limit);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(3),
        "{limit}: {:?} {said}",
        output.status
    );
    said
}

#[test]
fn too_few_threads() {
    let said = refused("--nproc=3:3");
    assert!(said.starts_with("error: cannot start "), "{said}");
    assert!(said.contains("RLIMIT_NPROC is 3, ulimit -u"), "{said}");
}

#[test]
fn too_small_an_address_space() {
    let said = refused("--as=100000000:100000000");
    assert!(said.contains("may have no more than 95 MB"), "{said}");
    assert!(said.contains("(RLIMIT_AS): ulimit -v "), "{said}");
}

#[test]
fn too_small_a_stack() {
    let said = refused("--stack=65536:65536");
    assert!(said.contains("may have no more than 64 kB"), "{said}");
    assert!(said.contains("(RLIMIT_STACK): ulimit -s 8192"), "{said}");
}

/// The kernel's file, which is no kernel, is started then.
#[test]
fn a_small_stack_is_made_larger_where_that_is_allowed() {
    let said = refused("--stack=65536:8388608");
    assert!(
        said.contains("harness: it ended before it was done"),
        "{said}"
    );
}

/// What a guest inherits has its place above them.
#[test]
fn too_few_descriptors_for_a_guest() {
    let said = refused("--nofile=1000:1000");
    assert!(
        said.contains("cannot start it: it inherits descriptors up to the number 1005"),
        "{said}"
    );
    assert!(said.contains("more than 1000 open files"), "{said}");
    assert!(
        said.contains("(RLIMIT_NOFILE, ulimit -Hn) to 1006"),
        "{said}"
    );
}
