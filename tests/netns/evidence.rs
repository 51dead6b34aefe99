//! The timeline of a case that `harness run -v` prints.

use anyhow::ensure;
use libtest_mimic::Trial;

use crate::harness::{run, source};
use crate::pace;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        pace::waiting("evidence::a_case_is_told_from_end_to_end", told),
        pace::alone("evidence::what_is_cut_is_told", cut),
    ]
}

/// Lines of the timeline in this order: the drawing between the hosts, and the text.
const CRASH: [(&str, &str); 10] = [
    ("|------------->|", "ARP who has 192.0.2.2, tell 192.0.2.1"),
    ("|------------->|", "[S] seq 0"),
    ("|<-------------|", "[S.] seq 0 ack 1"),
    ("|              |", "exchange 11 bytes from client"),
    ("*              |", "client: write 11 bytes"),
    ("|              |", "fault: crash the server"),
    ("|------------->z", "keepalive probe 1 of 3"),
    ("|------------->z", "keepalive probe 3 of 3"),
    ("|------------->z", "RST"),
    ("*              |", "client: read: ETIMEDOUT"),
];

fn told() -> anyhow::Result<()> {
    let scenario = source("scenarios/crashed.toml").display().to_string();
    let finished = run(&["-v", "--filter", "socket-options/ipv4", &scenario])?;
    finished.exits(0)?;
    let mut lines = finished.out.lines();
    for (lanes, text) in CRASH {
        let found = lines.any(|line| line.contains(lanes) && line.contains(text));
        ensure!(found, "`{lanes}  {text}` is missing in\n{}", finished.out);
    }
    // A separate thread reads the state of the socket, so this line may be before or after the
    // write.
    finished.says(&["client: ESTABLISHED timer:(keepalive,"])?;
    Ok(())
}

fn cut() -> anyhow::Result<()> {
    let scenario = source("tests/netns/evidence/thousand.toml");
    let finished = run(&["-v", &scenario.display().to_string()])?;
    finished
        .exits(0)?
        .says(&["the first of 1000 connections", " frames were not kept"])?;
    Ok(())
}
