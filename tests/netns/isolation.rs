//! The harness never changes the host's network namespace.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use deadpeer::lab::error::LabError;
use deadpeer::lab::namespace::Namespace;
use libtest_mimic::Trial;
use tokio::runtime::Builder;

use crate::cage::{self, Check, links};
use crate::harness::{LIMIT, Running, command, source};
use crate::pace;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    (
        "isolation::no_thread_and_no_socket_is_in_the_hosts_namespace",
        not_in_the_hosts_namespace,
    ),
    (
        "isolation::the_check_sees_a_socket_in_the_hosts_namespace",
        sockets_are_seen,
    ),
    (
        "isolation::a_lone_thread_leaves_the_namespace_that_it_enters",
        a_lone_thread_leaves,
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    cage::trials(CHECKS, pace::alone)
}

/// Checks the host's namespace continuously during a run. In a cage no other process uses this
/// namespace, so it must not change at all.
fn not_in_the_hosts_namespace() -> anyhow::Result<()> {
    let (host, links, sockets) = (fs::read_link("/proc/self/ns/net")?, links()?, sockets()?);
    let scenarios = source("scenarios");
    let mut running = Running::start(command(), &[scenarios.to_string_lossy()])?;
    let mut has_left = false;
    let mut most_threads = 0;
    while running.is_running()? {
        let namespaces = of_threads(running.pid())?;
        most_threads = most_threads.max(namespaces.len());
        // The process has one thread until it leaves the namespace.
        has_left |= namespaces.len() > 1 || namespaces.first().is_some_and(|first| *first != host);
        ensure!(
            !has_left || !namespaces.contains(&host),
            "a thread is in the host's namespace"
        );
        ensure!(
            crate::cage::links()? == links,
            "links: {:?}",
            crate::cage::links()?
        );
        ensure!(
            self::sockets()? == sockets,
            "sockets: {:?}",
            self::sockets()?
        );
        thread::sleep(Duration::from_millis(3));
    }
    running.finish(LIMIT)?.exits(0)?;
    ensure!(
        has_left && most_threads > 1,
        "nothing was seen of {most_threads} threads"
    );
    Ok(())
}

/// The namespaces of the threads of a process. Threads that end during the call are left out.
fn of_threads(pid: u32) -> anyhow::Result<Vec<PathBuf>> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Ok(Vec::new());
    };
    let mut namespaces = Vec::new();
    for thread in threads {
        let Ok(thread) = thread else { continue };
        namespaces.extend(fs::read_link(thread.path().join("ns/net")).ok());
    }
    Ok(namespaces)
}

/// All sockets of this thread's namespace.
fn sockets() -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6", "raw", "packet", "netlink"] {
        let path = Path::new("/proc/thread-self/net").join(table);
        let Ok(text) = fs::read_to_string(&path) else {
            // A kernel without IPv6 has no tcp6.
            continue;
        };
        let lines = text
            .lines()
            .filter(|line| table != "netlink" || has_a_process(line));
        found.extend(lines.map(|line| format!("{table}: {line}")));
    }
    Ok(found)
}

/// Whether a netlink socket belongs to a process: its port ID is not 0. The kernel has one netlink
/// socket of its own for each protocol, with the port ID 0.
fn has_a_process(netlink: &str) -> bool {
    netlink
        .split_whitespace()
        .nth(2)
        .is_some_and(|pid| pid != "0")
}

fn sockets_are_seen() -> anyhow::Result<()> {
    let before = sockets()?;
    let listener = std::net::TcpListener::bind("0.0.0.0:0")?;
    ensure!(sockets()? != before, "a listening socket is not seen");
    drop(listener);
    let packet = nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Packet,
        nix::sys::socket::SockType::Raw,
        nix::sys::socket::SockFlag::empty(),
        nix::sys::socket::SockProtocol::EthAll,
    )?;
    ensure!(sockets()? != before, "a packet socket is not seen");
    drop(packet);
    ensure!(
        sockets()? == before,
        "sockets that are closed are still seen"
    );
    Ok(())
}

/// With a runtime of one thread, as in a guest, the thread leaves the namespace again, whether the
/// work in it succeeds, fails or panics.
fn a_lone_thread_leaves() -> anyhow::Result<()> {
    let here = || fs::read_link("/proc/thread-self/ns/net");
    let home = here()?;
    let inside = move || {
        here().map_err(|source| LabError::Namespace {
            doing: "look at",
            node: "somewhere".to_owned(),
            source,
        })
    };
    let refused = || -> Result<PathBuf, LabError> {
        Err(LabError::Namespace {
            doing: "do something in",
            node: "somewhere".to_owned(),
            source: io::ErrorKind::Other.into(),
        })
    };
    let runtime = Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let (namespace, created) = Namespace::create("somewhere", inside).await?;
        ensure!(here()? == home, "after creating one");
        ensure!(created != home, "the work was not inside: {created:?}");
        let entered = namespace.run(inside).await?;
        ensure!(here()? == home, "after entering one");
        ensure!(entered == created, "{entered:?} is not {created:?}");
        ensure!(namespace.run(refused).await.is_err());
        ensure!(here()? == home, "after work that failed");
        let panicking = async move {
            namespace
                .run(|| -> Result<(), _> { panic!("on purpose") })
                .await
        };
        ensure!(tokio::spawn(panicking).await.is_err());
        ensure!(here()? == home, "after work that panicked");
        Ok(())
    })
}
