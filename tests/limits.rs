//! Limits of the process that are too low for a run: the error names the limit, and no limit ends
//! the program during a run.
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

/// Runs a scenario under a limit, in a guest whose kernel is a program that is not a kernel.
/// Whether it is started shows how far the run proceeds. If the tests run as root, the run is one
/// of `nobody`, since few limits apply to root.
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

/// The standard error of the run, which must fail with status 3.
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
    assert!(said.contains("is limited to 95 MB"), "{said}");
    assert!(said.contains("(RLIMIT_AS): ulimit -v "), "{said}");
}

#[test]
fn too_small_a_stack() {
    let said = refused("--stack=65536:65536");
    assert!(said.contains("is limited to 64 kB"), "{said}");
    assert!(said.contains("(RLIMIT_STACK): ulimit -s 8192"), "{said}");
}

/// The harness then starts the program that stands for the kernel.
#[test]
fn a_small_stack_is_made_larger_where_that_is_allowed() {
    let said = refused("--stack=65536:8388608");
    assert!(
        said.contains("harness: it ended before it sent a result"),
        "{said}"
    );
}

/// The numbers of the descriptors that a guest inherits are above this limit.
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
