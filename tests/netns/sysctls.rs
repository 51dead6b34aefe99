//! No sysctl that a file may set affects another network namespace. The test changes each of this
//! kernel's sysctls in one namespace and compares the values in another.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, anyhow, ensure};
use libtest_mimic::Trial;
use nix::sched::{CloneFlags, unshare};

use crate::cage::{self, Check};
use crate::harness::command;
use crate::pace;

pub(crate) const CHECKS: &[(&str, Check)] = &[(
    "sysctls::none_that_is_taken_reaches_another_namespace",
    none_reaches_another,
)];

pub(crate) fn trials() -> Vec<Trial> {
    cage::trials(CHECKS, pace::waiting)
}

const ROOT: &str = "/proc/sys/net";

/// Paths below [`ROOT`] and their values in this thread's namespace.
type Values = BTreeMap<String, String>;

fn none_reaches_another() -> anyhow::Result<()> {
    let inside = || -> anyhow::Result<(Values, Values)> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let all = values()?;
        let taken = taken(all.keys())?;
        let before: Values = all
            .into_iter()
            .filter(|(path, _)| taken.contains(path))
            .collect();
        for (path, value) in &before {
            change(path, value);
        }
        Ok((before, values()?))
    };
    let here = values()?;
    let (before, after) = thread::spawn(inside)
        .join()
        .map_err(|_| anyhow!("the thread panicked"))??;
    // The other namespace may be freed by now, but a sysctl of all namespaces would keep its
    // changed value.
    let changed = before
        .iter()
        .filter(|(path, value)| after.get(*path) != Some(value));
    let changed = changed.count();
    ensure!(
        changed > 150,
        "{changed} of {} could be changed",
        before.len()
    );
    let there = values()?;
    for (path, value) in &here {
        let now = there.get(path);
        ensure!(
            now == Some(value),
            "{path} was {value:?} here, and is {now:?}"
        );
    }
    Ok(())
}

/// All readable sysctls.
fn values() -> anyhow::Result<Values> {
    let mut found = Values::new();
    let mut folders = vec![Path::new(ROOT).to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(value) = fs::read_to_string(&path) {
                let path = path.strip_prefix(ROOT)?.to_str().context("a path")?;
                found.insert(path.to_owned(), value.trim().to_owned());
            }
        }
    }
    Ok(found)
}

/// The sysctls that a file may set.
fn taken<'p>(paths: impl Iterator<Item = &'p String>) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("all.toml");
    let paths: Vec<&String> = paths.collect();
    let mut said = String::new();
    // `check` prints only the first errors of a file.
    for some in paths.chunks(20) {
        let mut text =
            "summary = \"x\"\ntopology.preset = \"direct\"\nexpect.client.survives = \"1s\"\n\
                    [connection.client.sysctl]\n"
                .to_owned();
        for path in some {
            writeln!(text, "\"net.{}\" = 1", path.replace('/', "."))?;
        }
        fs::write(&file, text)?;
        let output = command().arg("check").arg(&file).output()?;
        said += &String::from_utf8(output.stderr)?;
    }
    let refused = |path: &str| said.contains(&format!("error: `net.{}` ", path.replace('/', ".")));
    ensure!(
        refused("netfilter/nf_hooks_lwtunnel")
            || !paths.iter().any(|path| path.ends_with("lwtunnel"))
    );
    Ok(paths
        .into_iter()
        .filter(|path| !refused(path))
        .cloned()
        .collect())
}

/// Changes the sysctl to another value that the kernel accepts, if there is one.
fn change(path: &str, value: &str) {
    let words: Vec<&str> = value.split_whitespace().collect();
    let Some((last, others)) = words.split_last() else {
        return;
    };
    let Ok(number) = last.parse::<i64>() else {
        return;
    };
    for other in [number + 1, number - 1] {
        let other = other.to_string();
        let words: Vec<&str> = others.iter().copied().chain([other.as_str()]).collect();
        if fs::write(Path::new(ROOT).join(path), words.join(" ")).is_ok() {
            return;
        }
    }
}
