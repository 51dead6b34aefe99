//! Compares tshark's analysis of the files of `--pcap` with the harness's own.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, bail, ensure};
use libtest_mimic::Trial;

use crate::harness::{run, source};
use crate::pace;

/// The cases, each over both families, with texts that the comments of its frames must contain.
const CASES: [(&str, &[&str]); 7] = [
    ("alive/probes-answered", &["the answer to the probe"]),
    ("alive/server-probes", &["the answer to the probe"]),
    (
        "crashed/socket-options",
        &[
            "s: fault: crash the server",
            "the server was silent and ignored it",
            "s: client: read: ETIMEDOUT",
        ],
    ),
    (
        "cable-pulled/plugged-in-again",
        &[
            "s: fault: pull",
            "s: repair: plug",
            "keepalive probe 3 of 5",
        ],
    ),
    ("half-open/with-keepalive", &["keepalive probe 3 of "]),
    (
        "unreachable/idle",
        &[
            "ignored: sequence number outside the window",
            "s: client: read: ETIMEDOUT",
        ],
    ),
    (
        "rebooted/back-at-once",
        &["RST", "s: client: read: ECONNRESET"],
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![pace::alone(
        "wireshark::finds_the_probes_that_the_harness_counted",
        finds_the_probes,
    )]
}

fn finds_the_probes() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut arguments = vec!["-v", "--deny-skips", "--pcap"];
    let (captures, scenarios) = (folder.path().to_string_lossy(), source("scenarios"));
    arguments.push(&captures);
    for (case, _) in CASES {
        arguments.extend(["--filter", case]);
    }
    let scenarios = scenarios.to_string_lossy();
    arguments.push(&scenarios);
    let finished = run(&arguments)?;
    let said = &finished.exits(0)?.out;
    let checks = CASES.iter().flat_map(|(case, comments)| {
        ["ipv4", "ipv6"].map(|family| (format!("{case}/{family}"), *comments))
    });
    thread::scope(|scope| {
        let checks: Vec<_> = checks
            .map(|(case, comments)| {
                let path = folder
                    .path()
                    .join(format!("{}.pcapng", case.replace('/', "_")));
                scope.spawn(move || check(&path, &case, said, comments).context(case))
            })
            .collect();
        checks
            .into_iter()
            .try_for_each(|check| check.join().expect("a check does not panic"))
    })
}

fn check(path: &Path, case: &str, said: &str, comments: &[&str]) -> anyhow::Result<()> {
    let about = tool(
        "capinfos",
        &[path.to_str().context("a path that is not UTF-8")?],
    )?;
    ensure!(about.contains("nanoseconds (9)"), "{about}");
    let zero = about
        .split_once("frame.time_epoch == ")
        .and_then(|(_, rest)| nanoseconds(rest.split_whitespace().next()?))
        .with_context(|| format!("no zero time in {about}"))?;
    let whole = packets(path, "frame")?;
    let mut interfaces: Vec<&str> = whole
        .iter()
        .map(|packet| packet.interface.as_str())
        .collect();
    interfaces.sort_unstable();
    interfaces.dedup();
    ensure!(
        interfaces == ["client:eth0", "server:eth0"],
        "{interfaces:?}"
    );
    for text in comments {
        let said: Vec<&str> = whole
            .iter()
            .map(|packet| packet.comments.as_str())
            .collect();
        let has = said.iter().any(|comments| comments.contains(text));
        ensure!(has, "no frame says {text:?}: {said:?}");
    }
    let ends = ["client", "server"].map(|end| (end, counted(said, case, end)));
    ensure!(
        ends.iter().any(|(_, counted)| counted.is_some()),
        "the harness tells of no probes: {said}"
    );
    for (end, counted) in ends {
        let one = of_interface(path, &format!("{end}:eth0"))?;
        let analysed = packets(&one, "tcp && !icmp && !icmpv6")?;
        check_end(&analysed, zero, counted).context(end)?;
    }
    Ok(())
}

/// Wireshark marks a segment as a keep-alive if and only if the harness counts it as a probe, at
/// either end. Wireshark marks the answer as a keep-alive ACK only if the last segment in the other
/// direction was the probe (packet-tcp.c: `lastsegmentflags & TCP_A_KEEP_ALIVE`). It therefore does
/// not mark the second of two answers to probes that crossed, since the last segment is then the
/// first answer. The harness, as the kernel, regards the first bare acknowledgement that arrives as
/// the answer.
fn check_end(packets: &[Packet], zero: u128, counted: Option<Counted>) -> anyhow::Result<()> {
    let connections: BTreeSet<&String> = packets.iter().map(|packet| &packet.stream).collect();
    let mut seen = Counted::default();
    for (place, packet) in packets.iter().enumerate() {
        let is_probe = packet.comments.contains("keepalive probe ");
        ensure!(packet.keep_alive == is_probe, "{packet:?}");
        let answers = packet.comments.contains("the answer to the probe");
        let same = |other: &&Packet| other.stream == packet.stream;
        let mut before = packets[..place].iter().rev().filter(same);
        let other_way = before.find(|other| other.sent != packet.sent);
        let follows_probe = other_way.is_some_and(|other| other.keep_alive);
        ensure!(
            packet.keep_alive_ack == (answers && follows_probe),
            "{packet:?}"
        );
        if packet.at >= zero {
            seen.probes += usize::from(packet.keep_alive && packet.sent);
            seen.answers += usize::from(answers && !packet.sent);
        }
    }
    let is_same = counted.as_ref().is_none_or(|counted| {
        let all = |of_one: usize| of_one * connections.len();
        (seen.probes, seen.answers) == (all(counted.probes), all(counted.answers))
    });
    ensure!(
        is_same,
        "{seen:?}, but the harness has {counted:?} of one connection"
    );
    Ok(())
}

/// The numbers of probes of one end and of their answers since zero time.
#[derive(Debug, Default)]
struct Counted {
    probes: usize,
    answers: usize,
}

/// The numbers in the output of `-v`. They are those of the first connection, and equal for the
/// others. `None` if the end is not observed.
fn counted(said: &str, case: &str, end: &str) -> Option<Counted> {
    let of_case = said.lines().skip_while(|line| *line != case).skip(1);
    let mut of_case = of_case.take_while(|line| !line.is_empty());
    let prefix = format!("  {end}: ");
    let line = of_case.find(|line| {
        let line = line.strip_prefix(&prefix);
        line.is_some_and(|line| line.contains("keepalive probe") && !line.starts_with("rule"))
    })?;
    let answers = line.matches("(answered)").count();
    let probes = answers + line.matches("(no answer)").count();
    Some(Counted { probes, answers })
}

/// A packet in the output of tshark.
#[derive(Debug)]
struct Packet {
    at: u128,
    interface: String,
    /// tshark's number of the connection.
    stream: String,
    /// Whether the host that captured the packet sent it.
    sent: bool,
    keep_alive: bool,
    keep_alive_ack: bool,
    comments: String,
}

/// The packets of a file that match the filter.
fn packets(path: &Path, filter: &str) -> anyhow::Result<Vec<Packet>> {
    const FIELDS: [&str; 7] = [
        "frame.time_epoch",
        "frame.interface_name",
        "tcp.stream",
        "frame.packet_flags_direction",
        "tcp.analysis.keep_alive",
        "tcp.analysis.keep_alive_ack",
        "frame.comment",
    ];
    let path = path.to_str().context("a path that is not UTF-8")?;
    let fields = FIELDS.iter().flat_map(|field| ["-e", field]);
    let arguments: Vec<&str> = ["-r", path, "-Y", filter, "-T", "fields"]
        .into_iter()
        .chain(fields)
        .collect();
    let table = tool("tshark", &arguments)?;
    let packet = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [
            at,
            interface,
            stream,
            direction,
            keep_alive,
            keep_alive_ack,
            comments,
        ] = cells[..]
        else {
            bail!("{line}");
        };
        Ok(Packet {
            at: nanoseconds(at).with_context(|| format!("no time in nanoseconds: {at}"))?,
            interface: interface.to_owned(),
            stream: stream.to_owned(),
            sent: match direction {
                "0x00000001" => false,
                "0x00000002" => true,
                other => bail!("direction {other}"),
            },
            keep_alive: !keep_alive.is_empty(),
            keep_alive_ack: !keep_alive_ack.is_empty(),
            comments: comments.to_owned(),
        })
    };
    table.lines().map(packet).collect()
}

/// Parses a time such as `1700000000.000000001`, which must have nine decimals. Returns
/// nanoseconds.
fn nanoseconds(text: &str) -> Option<u128> {
    let (seconds, fraction) = text.split_once('.')?;
    (fraction.len() == 9).then_some(())?;
    format!("{seconds}{fraction}").parse().ok()
}

/// Writes a file with the packets of one interface. With both interfaces in one file, a segment
/// appears twice, and the analysis would regard the second as a retransmission.
fn of_interface(path: &Path, interface: &str) -> anyhow::Result<PathBuf> {
    let one = path.with_extension(interface.replace(':', "-"));
    let filter = format!("frame.interface_name == \"{interface}\"");
    let [from, to] = [path, &one].map(|path| path.to_str().context("a path that is not UTF-8"));
    tool("tshark", &["-r", from?, "-Y", &filter, "-w", to?])?;
    Ok(one)
}

/// Runs one of Wireshark's tools and returns its standard output. Fails if the tool writes to
/// standard error.
fn tool(name: &str, arguments: &[&str]) -> anyhow::Result<String> {
    /// A warning that does not depend on the file.
    const TO_ROOT: &str = "Running as user \"root\" and group \"root\". This could be dangerous.";
    let output = Command::new(name).args(arguments).output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!("{name} is missing: apt-get install tshark"),
        _ => anyhow::anyhow!("cannot start {name}: {error}"),
    })?;
    let complaints = String::from_utf8(output.stderr)?;
    let complaints: Vec<&str> = complaints.lines().filter(|line| *line != TO_ROOT).collect();
    let status = output.status;
    ensure!(
        status.success() && complaints.is_empty(),
        "{name} {arguments:?}: {status}: {complaints:?}"
    );
    Ok(String::from_utf8(output.stdout)?)
}
