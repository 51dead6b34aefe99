//! The commands for kernels, without a build that succeeds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

/// Runs the harness with an empty cache. Returns the output and the directory of the cache.
fn harness(arguments: &[&str], path: Option<&str>) -> (Output, TempDir) {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("XDG_CACHE_HOME", cache.path())
        .env_remove("HARNESS_KERNEL")
        .env_remove("CLICOLOR_FORCE")
        // The user who runs these tests through sudo cannot access the directory.
        .env_remove("SUDO_UID");
    if let Some(path) = path {
        command.env("PATH", path);
    }
    (command.output().unwrap(), cache)
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn an_empty_list_tells_how_to_build_a_kernel() {
    let (output, cache) = harness(&["kernel", "list"], None);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"");
    let folder = cache.path().join("deadpeer/kernels");
    let expected = format!(
        "no kernels in {}\n  build one: harness kernel build --version 7.2 --hz 250\n",
        folder.display()
    );
    assert_eq!(said(&output), expected);
}

#[test]
fn all_tools_that_are_missing_are_named_before_anything_is_written() {
    let (output, cache) = harness(&["kernel", "build"], Some("/nonexistent"));
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = said(&output);
    for tool in ["gcc", "make", "flex", "bison", "bc", "m4", "xz", "libc.a"] {
        assert!(said.contains(&format!(" {tool}")), "{tool} in {said}");
    }
    assert!(
        said.contains("apt-get install --no-install-recommends ") && said.contains(" bc binutils "),
        "{said}"
    );
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[test]
fn kernels_that_cannot_be_built_are_refused_with_those_that_can() {
    for (arguments, can_be) in [
        (["--version", "6.13"], "it can be 6.1, 6.12 or 7.2"),
        (["--hz", "128"], "it can be 100, 250, 300 or 1000"),
    ] {
        let (output, _cache) = harness(&[&["kernel", "build"][..], &arguments].concat(), None);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(said(&output).contains(can_be), "{output:?}");
    }
}

#[test]
fn a_run_in_virtual_time_without_a_kernel_tells_how_to_build_one() {
    let (output, _cache) = harness(&["run", "--warp", "scenarios/alive.toml"], None);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = said(&output);
    for part in [
        "there is no kernel for Linux 7.2 with HZ=250",
        "build it: harness kernel build --version 7.2 --hz 250",
        "--kernel or in HARNESS_KERNEL",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn what_is_no_kernel_is_missing_as_one() {
    for (file, status, expected) in [
        ("Cargo.toml", 3, "Cargo.toml: not a kernel"),
        ("./6.13", 3, "./6.13: cannot read a kernel: No such file"),
        ("6.13", 2, "no kernel series or file is named 6.13"),
    ] {
        let (output, _cache) = harness(&["run", "--kernel", file, "scenarios/alive.toml"], None);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(said(&output).contains(expected), "{output:?}");
    }
}

/// Creates a shell script in place of a program.
fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// Creates scripts in place of all tools of a build.
fn tools(folder: &Path) {
    for name in [
        "ld", "strip", "make", "flex", "bison", "bc", "m4", "tar", "xz", "dpkg-deb",
    ] {
        program(folder, name, "exit 1");
    }
    program(folder, "gcc", "echo /libc.a");
}

/// Few systems have the backports suite among their package sources.
#[test]
fn a_package_that_apt_does_not_know_is_looked_for_in_its_own_suite() {
    let asked = |version: &str| {
        let folder = tempfile::tempdir().unwrap();
        tools(folder.path());
        let log = folder.path().join("asked");
        // This apt-get has no package, and can update only the lists of the given suite.
        let script = format!(
            "echo \"$@\" >> {}\n[ \"$9\" = update ] && exit 0\nexit 1",
            log.display()
        );
        program(folder.path(), "apt-get", &script);
        let output = Command::new(env!("CARGO_BIN_EXE_harness"))
            .args(["kernel", "build", "--version", version])
            .env("XDG_CACHE_HOME", folder.path())
            .env("PATH", folder.path())
            .env_remove("SUDO_UID")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let calls = fs::read_to_string(log).unwrap();
        let last_words = calls.lines().map(|call| {
            let words: Vec<&str> = call.split(' ').collect();
            let options = words.iter().filter(|word| **word == "--option").count();
            let said = words[2 * options..].join(" ");
            format!("{options}: {said}")
        });
        (last_words.collect::<Vec<_>>().join("; "), said(&output))
    };
    let (calls, said) = asked("6.1");
    assert_eq!(calls, "0: download linux-source-6.1");
    assert!(said.contains("Debian 12 (bookworm) have it"), "{said}");
    let (calls, said) = asked("7.2");
    let expected = "0: download linux-source-7.2; 4: update; 4: download linux-source-7.2";
    assert_eq!(calls, expected);
    assert!(said.contains("kernel/v7.x/"), "{said}");
}

/// A build whose copy of the source never ends. All of its programs are scripts.
#[test]
fn a_build_that_is_told_to_stop_removes_what_it_has_made() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = tempfile::tempdir().unwrap();
        let program = |name: &str, script: &str| program(folder.path(), name, script);
        tools(folder.path());
        program("cp", "exec /bin/sleep 1000");
        let kernels = folder.path().join("deadpeer/kernels");
        let dir = kernels.join("building-7.2-hz250");
        let mut build = Command::new(env!("CARGO_BIN_EXE_harness"))
            .args(["kernel", "build", "--source"])
            .arg(folder.path())
            .env("XDG_CACHE_HOME", folder.path())
            .env("PATH", folder.path())
            .env_remove("SUDO_UID")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until(|| dir.join("source").exists());
        kill(Pid::from_raw(build.id().cast_signed()), signal).unwrap();
        wait_until(|| build.try_wait().unwrap().is_some());
        assert_eq!(build.wait().unwrap().code(), Some(130));
        assert!(!dir.exists(), "{signal} leaves {}", dir.display());
    }
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "it takes too long"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_a_killed_build_has_left_is_gone_when_kernels_are_listed() {
    let cache = tempfile::tempdir().unwrap();
    let left = cache.path().join("deadpeer/kernels/building-6.1-hz250");
    fs::create_dir_all(left.join("source")).unwrap();
    let list = Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(["kernel", "list"])
        .env("XDG_CACHE_HOME", cache.path())
        .env_remove("SUDO_UID")
        .output()
        .unwrap();
    assert!(list.status.success(), "{list:?}");
    assert!(!left.exists());
}

/// In a user namespace of its own, which the harness needs for a lab without root, the harness
/// looks like root that was started by sudo.
#[test]
fn the_cache_is_the_users_own_also_where_labs_need_a_user_namespace() {
    const NOBODY: u32 = 65534;
    let folder = tempfile::tempdir().unwrap();
    let open = |path| fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    open(folder.path());
    let binary = folder.path().join("harness");
    fs::copy(env!("CARGO_BIN_EXE_harness"), &binary).unwrap();
    open(&binary);
    let scenario = folder.path().join("alive.toml");
    fs::copy("scenarios/alive.toml", &scenario).unwrap();
    let mut command = Command::new(&binary);
    command
        .args(["run", "--kernels", "native,6.12"])
        .arg(&scenario)
        .env("HOME", folder.path())
        .env("SUDO_UID", "1")
        .env_remove("XDG_CACHE_HOME");
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let said = said(&command.output().unwrap());
    let cache = folder.path().join(".cache/deadpeer/kernels");
    let expected = format!(
        "no kernel for Linux 6.12 with HZ=250 in {}",
        cache.display()
    );
    assert!(said.contains(&expected), "{said}");
}
