//! A run that ends leaves nothing behind, and the count would detect what it left.

use std::fs::File;
use std::io::Write;
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use libtest_mimic::Trial;
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};

use crate::cage::{self, Before, Check};
use crate::firewall;
use crate::harness::{run, source};
use crate::negative::file;
use crate::pace;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("cleanup::nothing_is_left_after_success", after_success),
    ("cleanup::nothing_is_left_after_failure", after_failure),
    ("cleanup::nothing_is_left_after_a_timeout", after_a_timeout),
    ("cleanup::nothing_is_left_of_a_firewall", after_a_firewall),
    (
        "cleanup::nothing_is_left_after_a_lab_that_could_not_be_built",
        after_a_lab_error,
    ),
    (
        "cleanup::each_case_gives_its_descriptors_back",
        after_each_case,
    ),
    (
        "cleanup::the_count_sees_a_namespace_that_is_kept",
        namespace_kept,
    ),
    (
        "cleanup::the_count_sees_a_process_a_mount_and_a_file",
        others_kept,
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    cage::trials(CHECKS, pace::alone)
}

fn after_success() -> anyhow::Result<()> {
    let before = Before::count()?;
    run(&[source("scenarios").to_string_lossy()])?.exits(0)?;
    before.is_restored()
}

fn after_failure() -> anyhow::Result<()> {
    let before = Before::count()?;
    run(&[file("mixed")?, file("survives-though-killed")?])?.exits(1)?;
    before.is_restored()
}

/// The case ends before its verdict, with unacknowledged data.
fn after_a_timeout() -> anyhow::Result<()> {
    let before = Before::count()?;
    let scenarios = source("scenarios");
    let scenarios = scenarios.to_string_lossy();
    run(&[
        "--timeout",
        "1s",
        "--filter",
        "crashed/in-flight",
        &scenarios,
    ])?
    .exits(1)?;
    before.is_restored()
}

/// The router has rules and connection-tracking entries, one of them for a connection with
/// unacknowledged data.
fn after_a_firewall() -> anyhow::Result<()> {
    let before = Before::count()?;
    let known_or_not = firewall::file("known-or-not")?;
    run(&["--filter", "written", &known_or_not])?.exits(0)?;
    before.is_restored()
}

/// The limit permits the harness's own namespace and that of one host, but not that of the other.
fn after_a_lab_error() -> anyhow::Result<()> {
    let before = Before::count()?;
    let crashed = source("scenarios/crashed.toml");
    cage::allow_namespaces(2)?;
    let finished = run(&[
        "--filter",
        "socket-options/ipv4",
        &crashed.to_string_lossy(),
    ])?;
    finished.exits(3)?.says(&[
        "cannot create the network namespace of ",
        "1 could not be run",
    ])?;
    before.is_restored()
}

/// The limit on descriptors is enough for one or two concurrent cases. All cases run, each when
/// enough descriptors are free. A case that needs more than the limit fails with the reason.
fn after_each_case() -> anyhow::Result<()> {
    const ROOM: u64 = 40;
    const QUICK: &str = r#"
summary = "Quick cases"
topology = { preset = "routed" }
step = [{ do = "exchange" }]
expect.client = { survives = "50ms" }
"#;
    const KEEPALIVE: &str = "connection.client.keepalive = { idle = \"1s\" }\n";
    let cases = (0..20).map(|number| format!("[[case]]\nname = \"number-{number}\"\n"));
    let mut file = tempfile::NamedTempFile::with_suffix(".toml")?;
    write!(file, "{QUICK}{KEEPALIVE}{}", cases.collect::<String>())?;
    let path = file.path().to_string_lossy();
    setrlimit(Resource::RLIMIT_NOFILE, ROOM, ROOM)?;
    run(&["-j", "1", &path])?
        .exits(0)?
        .says(&["40 cases in ", "40 passed"])?;
    run(&[&path])?.exits(0)?.says(&["40 passed"])?;
    let mut large = tempfile::NamedTempFile::with_suffix(".toml")?;
    write!(large, "{QUICK}[connection]\ncount = 50\n")?;
    run(&[&large.path().to_string_lossy()])?
        .exits(3)?
        .says(&["Too many open files"])?;
    Ok(())
}

fn namespace_kept() -> anyhow::Result<()> {
    let before = Before::count()?;
    let kept = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Ok::<File, anyhow::Error>(File::open("/proc/thread-self/ns/net")?)
    });
    let kept = kept.join().map_err(|_| anyhow!("the thread panicked"))??;
    let counted = before.is_restored_within(Duration::from_secs(1));
    let counted = counted.err().map(|error| error.to_string());
    drop(kept);
    ensure!(
        counted.as_deref() == Some("1 network namespaces are left after 1s"),
        "{counted:?}"
    );
    before.is_restored()
}

fn others_kept() -> anyhow::Result<()> {
    let before = Before::count()?;
    let counts = |kept: &str| match before.is_restored() {
        Err(error) if error.to_string().contains(kept) => Ok(()),
        other => Err(anyhow!("{kept}: {other:?}")),
    };
    let mut sleeping = std::process::Command::new("sleep").arg("60").spawn()?;
    let counted = counts("a process is left");
    sleeping.kill()?;
    sleeping.wait()?;
    counted?;
    let tmp = tempfile::tempdir()?;
    let none = None::<&str>;
    nix::mount::mount(
        Some("none"),
        tmp.path(),
        Some("tmpfs"),
        nix::mount::MsFlags::empty(),
        none,
    )?;
    let counted = counts("mounts differ");
    nix::mount::umount(tmp.path())?;
    counted?;
    let room = crate::room::Room::new()?;
    std::fs::write(room.tmp().join("trace"), "")?;
    ensure!(room.still_empty().is_err(), "a file was not seen");
    before.is_restored()
}
