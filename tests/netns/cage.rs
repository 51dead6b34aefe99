//! A place where everything that a run takes can be counted exactly, whatever else happens on the
//! machine.
//!
//! The test binary starts itself again inside a user, a network and a mount namespace of its own.
//! There
//!
//! * network namespaces are charged to the user namespace until the kernel has really freed them
//!   (`cleanup_net`), and `user.max_net_namespaces` refuses to make one more than it says. So one
//!   can be made under a limit of N exactly if fewer than N exist;
//! * the network namespace that the harness takes for the host's is empty, and nobody else's;
//! * mounts do not spread from or to outside;
//! * a process that loses its parent becomes a child of this one.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use libtest_mimic::Trial;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getegid, geteuid};

/// The first argument of the test binary for what follows to happen in a cage.
pub(crate) const MODE: &str = "in-cage";

/// A check that runs in a cage.
pub(crate) type Check = fn() -> anyhow::Result<()>;

/// How long the kernel may take to free what a process that has ended held.
const PATIENCE: Duration = Duration::from_secs(20);

const LIMIT: &str = "/proc/sys/user/max_net_namespaces";
/// The limit while nothing is counted.
const PLENTY: usize = 10_000;

/// A check, to be run in a cage.
pub(crate) type Caged = Box<dyn FnOnce() -> anyhow::Result<()> + Send>;

/// A trial of each check.
pub(crate) fn trials(
    checks: &[(&'static str, Check)],
    trial: impl Fn(&'static str, Caged) -> Trial,
) -> Vec<Trial> {
    let names = checks.iter().map(|(name, _)| *name);
    names
        .map(|name| trial(name, Box::new(move || run(name))))
        .collect()
}

/// Starts this binary in a cage, to run the check of this name.
fn run(name: &str) -> anyhow::Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .args([MODE, name])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(())
}

/// The other side of [`run`].
pub(crate) fn inside(name: &str) -> ExitCode {
    let checks = [
        crate::cleanup::CHECKS,
        crate::isolation::CHECKS,
        crate::killed::CHECKS,
        crate::panicked::CHECKS,
        crate::privileges::CHECKS,
        crate::signals::CHECKS,
        crate::sysctls::CHECKS,
    ];
    let check = checks
        .iter()
        .copied()
        .flatten()
        .find(|(known, _)| *known == name);
    let result = match check {
        Some((_, check)) => enter().and_then(|()| check()),
        None => Err(anyhow!("there is no check {name}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn enter() -> anyhow::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    let own = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
    unshare(own).context("cannot make the namespaces that a run is counted in")?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    nix::sys::prctl::set_child_subreaper(true)?;
    limit_namespaces(PLENTY)?;
    let found = namespaces()?;
    ensure!(found == OWN, "a new cage has {found} network namespaces");
    Ok(())
}

/// The cage's own network namespace.
const OWN: usize = 1;

/// Lets no more than so many network namespaces exist besides the cage's own.
pub(crate) fn allow_namespaces(count: usize) -> anyhow::Result<()> {
    limit_namespaces(OWN + count)
}

/// Not even the one that the cage has already.
pub(crate) fn allow_no_namespace_at_all() -> anyhow::Result<()> {
    limit_namespaces(0)
}

fn limit_namespaces(limit: usize) -> anyhow::Result<()> {
    fs::write(LIMIT, limit.to_string()).with_context(|| format!("cannot write {LIMIT}"))
}

/// Whether one network namespace more can be made while no more than `limit` may exist; it is gone
/// when this returns, but charged until the kernel has freed it.
fn fits(limit: usize) -> anyhow::Result<bool> {
    limit_namespaces(limit)?;
    let made = thread::spawn(|| unshare(CloneFlags::CLONE_NEWNET))
        .join()
        .map_err(|_| anyhow!("the thread panicked"))?;
    limit_namespaces(PLENTY)?;
    match made {
        Ok(()) => Ok(true),
        Err(Errno::ENOSPC) => Ok(false),
        Err(errno) => bail!("unshare(CLONE_NEWNET): {errno}"),
    }
}

/// How many network namespaces exist.
fn namespaces() -> anyhow::Result<usize> {
    for count in 0..PLENTY {
        if fits(count + 1)? {
            return Ok(count);
        }
    }
    bail!("there are more than {PLENTY} network namespaces")
}

/// What there was before a run.
pub(crate) struct Before {
    links: BTreeSet<String>,
    mounts: BTreeSet<String>,
}

impl Before {
    /// Counts; fails if something of an earlier run is left.
    pub(crate) fn count() -> anyhow::Result<Self> {
        let before = Self {
            links: links()?,
            mounts: mounts()?,
        };
        before.is_restored().context("before the run")?;
        Ok(before)
    }

    /// Fails unless everything is as it was, within the kernel's time for it.
    pub(crate) fn is_restored(&self) -> anyhow::Result<()> {
        self.is_restored_within(PATIENCE)
    }

    pub(crate) fn is_restored_within(&self, patience: Duration) -> anyhow::Result<()> {
        let children = waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG));
        ensure!(
            children == Err(Errno::ECHILD),
            "a process is left: {children:?}"
        );
        let (links, mounts) = (links()?, mounts()?);
        ensure!(
            links == self.links,
            "links: {links:?}, before {:?}",
            self.links
        );
        let differing: Vec<&String> = mounts.symmetric_difference(&self.mounts).collect();
        ensure!(differing.is_empty(), "mounts differ: {differing:?}");
        let begun = Instant::now();
        while !fits(OWN + 1)? {
            if begun.elapsed() > patience {
                let left = namespaces()? - OWN;
                bail!("{left} network namespaces are left after {patience:?}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// The links in the namespace that a run takes for the host's.
pub(crate) fn links() -> anyhow::Result<BTreeSet<String>> {
    let table = fs::read_to_string("/proc/thread-self/net/dev")?;
    let names = table.lines().filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| name.trim().to_owned()).collect())
}

fn mounts() -> anyhow::Result<BTreeSet<String>> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(table.lines().map(str::to_owned).collect())
}
