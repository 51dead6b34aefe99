//! The files of `--pcap`: their names and owners.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use libtest_mimic::Trial;
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::harness::{Finished, LIMIT, Running, command, command_as_nobody, source};
use crate::pace;
use crate::privileges::{forbidding_switch, readable_copy};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        pace::waiting("captures::each_run_of_a_case_has_its_own", each_run),
        pace::waiting("captures::belong_to_a_user_without_root", without_root),
        pace::waiting("captures::belong_to_who_called_sudo", by_sudo),
        pace::waiting(
            "captures::one_that_cannot_be_written_is_named",
            not_writable,
        ),
        pace::waiting(
            "captures::one_that_cannot_be_written_loses_no_other",
            one_of_two_not_writable,
        ),
    ]
}

const FILE: &str = "scenarios/crashed.toml";
const NOBODY: u32 = 65534;

/// Runs one case, with `--pcap` into this directory.
fn capture(
    command: Command,
    folder: &Path,
    file: &Path,
    more: &[&str],
) -> anyhow::Result<Finished> {
    let [folder, file] = [folder, file].map(|path| path.to_string_lossy().into_owned());
    let wanted = [
        "--filter",
        "crashed/user-timeout/ipv4",
        "--pcap",
        &folder,
        &file,
    ];
    Running::start(command, &[&wanted[..], more].concat())?.finish(LIMIT)
}

/// A directory in which all users may create files.
fn open_folder() -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
    Ok(folder)
}

fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<anyhow::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Fails unless the directory contains the one expected file, and both belong to this user.
fn all_belong_to(owner: u32, folder: &Path) -> anyhow::Result<()> {
    let names = names(folder)?;
    ensure!(names == ["crashed_user-timeout_ipv4.pcapng"], "{names:?}");
    for path in [folder.to_owned(), folder.join(&names[0])] {
        let of = fs::metadata(&path)?.uid();
        ensure!(of == owner, "{} belongs to {of}", path.display());
    }
    Ok(())
}

fn each_run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let more = ["--repeat", "2"];
    capture(command(), folder.path(), &source(FILE), &more)?.exits(0)?;
    let names = names(folder.path())?;
    let expected = ["1", "2"].map(|run| format!("crashed_user-timeout_ipv4_run-{run}-of-2.pcapng"));
    ensure!(names == expected, "{names:?}");
    // The permissions are those of any other new file of this user.
    let usual = folder.path().join("usual");
    fs::write(&usual, "")?;
    let mode = |path: &Path| fs::metadata(path).map(|file| file.mode());
    let modes = (mode(&folder.path().join(&names[0]))?, mode(&usual)?);
    ensure!(modes.0 == modes.1, "{:o}, not {:o}", modes.0, modes.1);
    Ok(())
}

/// If the tests run as root, they start the harness as `nobody`; otherwise directly.
fn without_root() -> anyhow::Result<()> {
    let folder = open_folder()?;
    let programs = tempfile::tempdir()?;
    let file = readable_copy(&source(FILE), &programs)?;
    let binary = readable_copy(Path::new(env!("CARGO_BIN_EXE_harness")), &programs)?;
    let (command, owner) = if geteuid().is_root() {
        (command_as_nobody(&binary), NOBODY)
    } else {
        (command(), geteuid().as_raw())
    };
    let captures = folder.path().join("of/nobody");
    let finished = capture(command, &captures, &file, &[])?;
    if let (true, Some(switch)) = (geteuid().is_root(), forbidding_switch()) {
        finished.exits(3)?.says(&[&switch])?;
        return Ok(());
    }
    finished.exits(0)?;
    all_belong_to(owner, &captures)
}

/// Without root, the harness ignores the variables of sudo.
fn by_sudo() -> anyhow::Result<()> {
    let folder = open_folder()?;
    let captures = folder.path().join("of/caller");
    let scenarios = tempfile::tempdir()?;
    let file = readable_copy(&source(FILE), &scenarios)?;
    let mut command = command();
    command.env("SUDO_UID", NOBODY.to_string());
    capture(command, &captures, &file, &[])?.exits(0)?;
    let owner = if geteuid().is_root() {
        NOBODY
    } else {
        geteuid().as_raw()
    };
    all_belong_to(owner, &captures)?;
    let parent = captures.parent().context("it has one")?;
    let of = fs::metadata(parent)?.uid();
    ensure!(of == owner, "{} belongs to {of}", parent.display());
    Ok(())
}

/// The result of the case is still reported, and no partial file remains.
fn not_writable() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let in_the_way = folder.path().join("crashed_user-timeout_ipv4.pcapng");
    fs::create_dir(&in_the_way)?;
    let finished = capture(command(), folder.path(), &source(FILE), &[])?;
    let cannot = format!("error: cannot write {}: ", in_the_way.display());
    finished
        .exits(3)?
        .says(&[&cannot, "1 case in ", "1 passed"])?;
    let names = names(folder.path())?;
    ensure!(names.len() == 1, "{names:?}");
    Ok(())
}

fn one_of_two_not_writable() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let [first, second] =
        ["1", "2"].map(|run| format!("crashed_user-timeout_ipv4_run-{run}-of-2.pcapng"));
    fs::create_dir(folder.path().join(&first))?;
    let repeat = ["--repeat", "2"];
    let finished = capture(command(), folder.path(), &source(FILE), &repeat)?;
    finished.exits(3)?.says(&[&format!("{first}: ")])?;
    let length = fs::metadata(folder.path().join(second))?.len();
    ensure!(length > 0, "the second capture is empty");
    Ok(())
}
