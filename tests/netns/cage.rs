//! A cage: an environment in which the resources of a run can be counted exactly, whatever other
//! processes of the machine do.
//!
//! The test binary starts itself again in new user, network and mount namespaces. In this
//! environment:
//!
//! * network namespaces are charged to the user namespace until the kernel has freed them
//!   (`cleanup_net`), and the kernel refuses to create more than `user.max_net_namespaces`. So with
//!   a limit of N, one can be created if and only if fewer than N exist;
//! * the network namespace that the harness regards as the host's is empty, and no other process
//!   uses it;
//! * mounts do not propagate in either direction;
//! * an orphaned process becomes a child of this process.

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

/// The first argument of the test binary that runs a check in a cage. The second is the name of the
/// check.
pub(crate) const MODE: &str = "in-cage";

/// A check that runs in a cage.
pub(crate) type Check = fn() -> anyhow::Result<()>;

/// The time limit within which the kernel must free the resources of a process that has ended.
const PATIENCE: Duration = Duration::from_secs(20);

const LIMIT: &str = "/proc/sys/user/max_net_namespaces";
/// The limit on namespaces while they are not counted.
const PLENTY: usize = 10_000;

/// The function of a trial, which runs a check in a cage.
pub(crate) type Caged = Box<dyn FnOnce() -> anyhow::Result<()> + Send>;

/// A trial for each check.
pub(crate) fn trials(
    checks: &[(&'static str, Check)],
    trial: impl Fn(&'static str, Caged) -> Trial,
) -> Vec<Trial> {
    let names = checks.iter().map(|(name, _)| *name);
    names
        .map(|name| trial(name, Box::new(move || run(name))))
        .collect()
}

/// Starts this binary in a cage to run this check.
fn run(name: &str) -> anyhow::Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .args([MODE, name])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(())
}

/// Runs a check in the process that [`run`] has started.
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

/// The number of namespaces that the cage itself has: one.
const OWN: usize = 1;

/// Limits the number of network namespaces to `count` besides the cage's own.
pub(crate) fn allow_namespaces(count: usize) -> anyhow::Result<()> {
    limit_namespaces(OWN + count)
}

/// Sets the limit to zero, less than the cage has already.
pub(crate) fn allow_no_namespace_at_all() -> anyhow::Result<()> {
    limit_namespaces(0)
}

fn limit_namespaces(limit: usize) -> anyhow::Result<()> {
    fs::write(LIMIT, limit.to_string()).with_context(|| format!("cannot write {LIMIT}"))
}

/// Whether one more network namespace can be created while at most `limit` may exist. The new
/// namespace no longer exists on return, but is charged until the kernel has freed it.
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

/// The number of existing network namespaces.
fn namespaces() -> anyhow::Result<usize> {
    for count in 0..PLENTY {
        if fits(count + 1)? {
            return Ok(count);
        }
    }
    bail!("there are more than {PLENTY} network namespaces")
}

/// The state before a run.
pub(crate) struct Before {
    links: BTreeSet<String>,
    mounts: BTreeSet<String>,
}

impl Before {
    /// Records the state. Fails if an earlier run has left something.
    pub(crate) fn count() -> anyhow::Result<Self> {
        let before = Self {
            links: links()?,
            mounts: mounts()?,
        };
        before.is_restored().context("before the run")?;
        Ok(before)
    }

    /// Fails unless the state is the same as before, within the time limit of the kernel.
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

/// The links in the namespace that a run regards as the host's.
pub(crate) fn links() -> anyhow::Result<BTreeSet<String>> {
    let table = fs::read_to_string("/proc/thread-self/net/dev")?;
    let names = table.lines().filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| name.trim().to_owned()).collect())
}

fn mounts() -> anyhow::Result<BTreeSet<String>> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(table.lines().map(str::to_owned).collect())
}
