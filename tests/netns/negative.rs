//! Wrong expectations fail with a message: each file in `negative/` expects something that the
//! kernel does not do.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use libtest_mimic::Trial;

use crate::harness::{Finished, run, source};
use crate::pace;

/// Each file, and the texts that the output must contain.
const WRONG: &[(&str, &[&str])] = &[
    (
        "exchange-over-dead-connection",
        &[
            "expected to survive for 1s and then to exchange data",
            "observed ETIMEDOUT",
            "exchange 11 bytes from client (line 24): not taken: the client's connection had ended with ETIMEDOUT",
        ],
    ),
    (
        "fill-to-a-reader",
        &[
            "expected step fill",
            "observed the kernel took 64 MiB: the peer reads all that is written",
        ],
    ),
    (
        "wrong-ending",
        &[
            "client: expected end of file",
            "observed ECONNRESET 0",
            "expected to be open for 1s",
            "observed end of file 0",
            "expected poll(2) to return POLLIN",
            "observed POLLIN, POLLRDHUP",
            "expected the next write: succeeds",
            "observed EPIPE",
        ],
    ),
    (
        "dies-with-the-other-family",
        &[
            " dies-with-the-other-family/dual-ipv4",
            "expected ETIMEDOUT",
            "no error: still open",
            "expected to survive for 6s",
            "observed ETIMEDOUT 4.",
        ],
    ),
    (
        "wrong-errno",
        &["client: expected ECONNRESET", "observed ETIMEDOUT 4."],
    ),
    (
        "window-too-short",
        &[
            "expected ETIMEDOUT 1s..3.2s",
            "observed ETIMEDOUT after 4.",
            "too late",
        ],
    ),
    (
        "window-over-long-ago",
        &["expected ETIMEDOUT", "no error: still open 3."],
    ),
    (
        "window-begins-too-late",
        &[
            "expected ETIMEDOUT 6s..7s",
            "observed ETIMEDOUT after 4.",
            "too early",
        ],
    ),
    (
        "survives-though-killed",
        &["expected to survive for 6s", "observed ETIMEDOUT 4."],
    ),
    (
        "error-though-alive",
        &["expected ETIMEDOUT", "no error: still open 3."],
    ),
    (
        "wrong-probe-count",
        &[
            "expected 2 keepalive probes sent on the wire",
            "observed 3, sent at ",
        ],
    ),
    (
        "wrong-answer-count",
        &[
            "expected 1.. keepalive probes answered on the wire",
            "observed 0, sent at ",
        ],
    ),
    (
        "wrong-probe-time",
        &[
            "expected probe 2 sent 2.7s after the last segment received",
            "observed sent after 2.",
        ],
    ),
    (
        "wrong-counter",
        &[
            "expected TcpExt:TCPKeepAlive to rise by 7 on the client",
            "it rose by 3",
        ],
    ),
    (
        "observed-end-rebooted",
        &[
            "expected a connection to observe",
            "the client has no connection left",
        ],
    ),
    (
        "descriptors-still-open",
        &["expected 0 descriptors open again", "observed 1 still open"],
    ),
];

/// Files with a separate trial.
const SPECIAL: &[&str] = &["mixed", "no-window"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = WRONG
        .iter()
        .map(|(name, words)| {
            pace::waiting(format!("negative::{name}"), || {
                let finished = run_file(name)?;
                finished.fails(words)?;
                let closing = finished.closing();
                ensure!(closing.contains(": 0 passed, "), "{closing}");
                Ok(())
            })
        })
        .collect();
    trials.push(pace::waiting("negative::no-window", || {
        let words = [
            "no-window.toml:18:9",
            "the oracle has no rule for the time of this error",
            "within = ",
        ];
        run_file("no-window")?.exits(2)?.says(&words)?;
        Ok(())
    }));
    trials.push(pace::waiting(
        "negative::mixed",
        a_mixed_run_fails_and_shows_what_passed,
    ));
    trials.push(pace::waiting(
        "negative::every_file_is_tried",
        every_file_is_tried,
    ));
    trials
}

pub(crate) fn file(name: &str) -> anyhow::Result<String> {
    let path = source("tests/netns/negative").join(format!("{name}.toml"));
    Ok(path
        .to_str()
        .context("a path that is not UTF-8")?
        .to_owned())
}

fn run_file(name: &str) -> anyhow::Result<Finished> {
    run(&[file(name)?])
}

fn a_mixed_run_fails_and_shows_what_passed() -> anyhow::Result<()> {
    let finished = run_file("mixed")?;
    finished.exits(1)?;
    let table = finished.out.split("\nVERDICT ").nth(1).unwrap_or_default();
    for row in [
        "\npass     mixed/right/ipv4 ",
        "\nFAIL     mixed/wrong/ipv4 ",
    ] {
        ensure!(table.contains(row), "{}", finished.out);
    }
    let closing = finished.closing();
    ensure!(closing.ends_with(": 1 passed, 1 failed"), "{closing}");
    Ok(())
}

fn every_file_is_tried() -> anyhow::Result<()> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(source("tests/netns/negative"))? {
        let path = entry?.path();
        found.insert(
            path.file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        );
    }
    let tried = WRONG.iter().map(|(name, _)| name).chain(SPECIAL);
    let tried: BTreeSet<String> = tried.map(|name| (*name).to_owned()).collect();
    ensure!(found == tried, "found {found:?}, tried {tried:?}");
    Ok(())
}
