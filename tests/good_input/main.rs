//! The cases that valid scenario files are decoded to.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod overlay;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use deadpeer::model::*;
use deadpeer::scenario::parse;
use deadpeer::scenario::*;
use deadpeer::step::*;

fn seconds(seconds: u64) -> Option<KeepaliveSeconds> {
    KeepaliveSeconds::new(seconds)
}

fn errno(name: &str) -> ErrnoName {
    ErrnoName::parse(name).unwrap()
}

fn range(min: u64, max: Option<u64>) -> CountRange {
    CountRange { min, max }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn scenario(text: &str) -> Scenario {
    parse(Path::new("folder/file.toml"), text).unwrap()
}

fn ids(scenario: &Scenario) -> Vec<String> {
    let cases = scenario.cases.iter();
    cases.map(|case| case.id.to_string()).collect()
}

fn full_steps() -> Vec<Step> {
    let (client, server) = (End::Client, End::Server);
    let when = |count, what| Start::When { count, what };
    let exchange = |from, payload: &str| {
        Action::from(Exchange {
            from,
            payload: payload.into(),
        })
    };
    let side = Side::Cable(server);
    let cable = |change| Action::from(Cable { side, change });
    let route = |change| {
        Action::from(Route {
            on: Node::ROUTER,
            to: client,
            change,
        })
    };
    let steps = [
        (24, Start::AtOnce, exchange(client, "hello world")),
        (27, Start::After(millis(250)), exchange(server, "héllo")),
        (
            33,
            Start::AtOnce,
            SendData {
                from: client,
                bytes: 10,
            }
            .into(),
        ),
        (36, when(2, ProbeEvent::Answered), cable(CableChange::Pull)),
        (42, when(1, ProbeEvent::Sent), cable(CableChange::Plug)),
        (48, Start::AtOnce, Crash { host: client }.into()),
        (52, Start::AtOnce, Resume { host: client }.into()),
        (
            56,
            Start::AtOnce,
            Reboot {
                host: server,
                downtime: millis(2500),
                mac: HardwareAddress::Kept,
            }
            .into(),
        ),
        (61, Start::AtOnce, route(RouteChange::Prohibit)),
        (67, Start::AtOnce, route(RouteChange::Restore)),
    ];
    let step = |(line, start, action)| Step {
        start,
        action,
        family: None,
        line,
    };
    steps.into_iter().map(step).collect()
}

const FULL: &str = include_str!("../good/full.toml");

/// The byte range of the value in the file.
fn place(value: &str) -> std::ops::Range<usize> {
    let start = FULL.find(value).unwrap();
    start..start + value.len()
}

fn icmp(family: Family, kind: u8, code: u8) -> IcmpKind {
    IcmpKind { family, kind, code }
}

/// The lines of the keys of the client's expectation.
const LINES: [(usize, &str); 14] = [
    (74, "error"),
    (75, "textbook"),
    (76, "within"),
    (77, "since"),
    (
        78,
        "probes probes.sent probes.answered probes.spacing probes.at",
    ),
    (
        79,
        "window_probes window_probes.sent window_probes.answered",
    ),
    (80, "retransmissions"),
    (81, "rst rst.sent rst.received"),
    (82, "icmp icmp.ipv4 icmp.ipv6 icmp.from"),
    (83, "neighbours neighbours.solicited neighbours.advertised"),
    (84, "timer"),
    (85, "state"),
    (
        86,
        "counters counters.TcpExt:OutOfWindowIcmps counters.Icmp6InDestUnreachs",
    ),
    (87, "descriptors"),
];

fn full_evidence() -> EvidenceExpectation {
    EvidenceExpectation {
        retransmissions: Some(range(1, None)),
        rst_sent: Some(range(1, Some(1))),
        rst_received: Some(range(0, Some(0))),
        icmp: vec![
            (icmp(Family::Ipv4, 3, 1), range(3, Some(3))),
            (icmp(Family::Ipv6, 1, 7), range(0, Some(0))),
            (icmp(Family::Ipv6, 1, 0), range(2, None)),
        ],
        icmp_from: Some(Node::ROUTER),
        solicited: Some(range(3, Some(3))),
        advertised: Some(range(0, Some(0))),
        timer: Some(ExpectedTimer::Armed(TimerKind::Keepalive)),
        state: Some(TcpState::CloseWait),
    }
}

/// A map from each key to its line.
fn lines(lines: &[(usize, &str)]) -> BTreeMap<String, usize> {
    let keys = lines.iter().flat_map(|(line, keys)| {
        let keys = keys.split_whitespace();
        keys.map(|key| (key.to_owned(), *line))
    });
    keys.collect()
}

fn full_expectations() -> Expectations {
    let client = Expectation {
        line: 73,
        lines: lines(&LINES),
        places: Places {
            outcome: place("\"ETIMEDOUT\""),
            within: Some(place("\"4s..4.5s\"")),
        },
        outcome: ExpectedOutcome::Error(errno("ETIMEDOUT")),
        textbook: Some(errno("EHOSTUNREACH")),
        within: Some(StatedWindow {
            from: millis(4000),
            to: millis(4500),
            since: Since::Activity,
        }),
        probes: ProbeExpectation {
            sent: Some(range(3, Some(3))),
            answered: Some(range(2, Some(3))),
            spacing: Some(millis(1000)),
            at: vec![millis(1000), millis(2500)],
        },
        window_probes: WindowProbeExpectation {
            sent: Some(range(0, Some(0))),
            answered: Some(range(0, Some(0))),
        },
        evidence: full_evidence(),
        counters: vec![
            (CounterName("Icmp6InDestUnreachs".into()), range(3, None)),
            (
                CounterName("TcpExt:OutOfWindowIcmps".into()),
                range(3, Some(3)),
            ),
        ],
        poll: Vec::new(),
        next_write: None,
        descriptors_return: true,
    };
    let server = Expectation {
        line: 89,
        lines: lines(&[(90, "survives")]),
        places: Places {
            outcome: place("\"6s\""),
            within: None,
        },
        outcome: ExpectedOutcome::Survives(millis(6000)),
        textbook: None,
        within: None,
        probes: ProbeExpectation::default(),
        window_probes: WindowProbeExpectation::default(),
        evidence: EvidenceExpectation::default(),
        counters: Vec::new(),
        poll: Vec::new(),
        next_write: None,
        descriptors_return: false,
    };
    Expectations {
        client: Some(client),
        server: Some(server),
    }
}

#[test]
fn every_key_arrives_in_the_checked_types() {
    let path = Path::new("scenarios/full.toml");
    let case = Case {
        id: CaseId("full/ipv6".into()),
        line: 1,
        note: None,
        clock: Clock::Virtual,
        family: Family::Ipv6,
        stack: Stack::Single,
        topology: Preset::Routed.into(),
        firewall: Some(Firewall {
            on: Node::ROUTER,
            established: TrackingSeconds::new(350).unwrap(),
            loose: false,
            nat: false,
        }),
        sysctl: vec![NodeSysctls {
            node: Node::ROUTER,
            sysctl: vec![Sysctl {
                name: "net.ipv6.conf.default.hop_limit".into(),
                value: "32".into(),
            }],
        }],
        connection: Connection {
            count: 50,
            client: EndSettings {
                keepalive: Some(Keepalive::Options {
                    idle: seconds(2),
                    interval: None,
                    probes: ProbeCount::new(3),
                }),
                user_timeout: Some(millis(2500)),
                ..EndSettings::default()
            },
            server: EndSettings {
                keepalive: Some(Keepalive::Sysctl {
                    time: seconds(7),
                    intvl: seconds(1),
                    probes: ProbeCount::new(127),
                }),
                nagle: true,
                send_buffer: BufferSize::new(4608),
                receive_buffer: BufferSize::new(212_992),
                linger: Linger::new(millis(2000)),
                ..EndSettings::default()
            },
        },
        steps: full_steps(),
        expect: full_expectations(),
    };
    let expected = Scenario {
        path: path.to_owned(),
        text: FULL.into(),
        summary: "Everything that a file can say".into(),
        source: Some("RFC 1122 4.2.3.6".into()),
        cases: vec![case],
    };
    assert_eq!(parse(path, FULL), Ok(expected));
}

#[test]
fn the_shortest_file_is_one_connection_over_both_families() {
    let text = "summary = 's'\ntopology.preset = 'direct'\nexpect.server.survives = '1s'\n";
    let scenario = scenario(text);
    assert_eq!(ids(&scenario), ["file/ipv4", "file/ipv6"]);
    let connection = &scenario.cases[0].connection;
    assert_eq!(connection.count, 1);
    assert_eq!(connection.client, EndSettings::default());
    assert_eq!(connection.observed_end(), None);
    assert!(scenario.cases[0].steps.is_empty());
}

#[test]
fn the_limits_themselves_are_within() {
    let text = r#"
summary = "s"
topology.preset = "direct"
connection.count = 1000
connection.client.keepalive = { idle = "1s", interval = "32767s", probes = 1 }
connection.client.user_timeout = "2147483647ms"
connection.server.keepalive = { time = "3s" }
connection.server.user_timeout = "1ms"
expect.client = { error = "EPIPE", within = "4s..4s", probes.sent = 0 }
step = [{ do = "send", bytes = 65536 }, { do = "send", bytes = 1 }]
"#;
    let connection = &scenario(text).cases[0].connection;
    assert_eq!(connection.client.user_timeout, Some(millis(2_147_483_647)));
    let three = KeepaliveSeconds::new(3).unwrap();
    assert_eq!(connection.server.keepalive, Some(Keepalive::Time(three)));
    assert_eq!(connection.observed_end(), Some(End::Client));
}

#[test]
fn an_empty_sysctl_table_is_keepalive_with_the_kernels_numbers() {
    let text = "summary = 's'\ntopology.preset = 'direct'\nexpect.server.survives = '1s'\n\
                connection.server.keepalive = { sysctl = {} }\n";
    let connection = &scenario(text).cases[0].connection;
    let expected = Keepalive::Sysctl {
        time: None,
        intvl: None,
        probes: None,
    };
    assert_eq!(connection.server.keepalive, Some(expected));
    assert_eq!(connection.observed_end(), Some(End::Server));
}

#[test]
fn no_probes_may_be_expected_of_an_end_without_keepalive() {
    let text = "summary = 's'\ntopology.preset = 'direct'\nexpect.server = { survives = '1s', probes = { sent = 0 } }\n";
    assert_eq!(scenario(text).cases.len(), 2);
}

/// An IPv6 host continues to send from an address that it has lost if its route leads through a
/// router.
#[test]
fn probes_are_waited_for_where_they_come() {
    let of = |topology: &str, what: &str| {
        let text = format!(
            r#"
summary = "Probes that come"
topology = {topology}
connection.client.keepalive = {{ idle = "1s", interval = "1s", probes = 3 }}
expect.client.open = "1s"
step = [{what}]
"#
        );
        parse(Path::new("file.toml"), &text).map(drop)
    };
    let routed = r#"{ preset = "routed", family = "ipv6" }"#;
    let switched = r#"{ preset = "switched", family = "ipv6" }"#;
    let lost = r#"
    { do = "address", at = "client", action = "remove" },
    { do = "address", at = "client", action = "restore", when = "1 probe sent" }"#;
    assert_eq!(of(routed, lost), Ok(()));
    assert!(of(switched, lost).is_err());
    let dual = r#"{ preset = "routed", family = "dual" }"#;
    let of_one = r#"{ do = "filter", on = "router", action = "drop", family = "ipv6" }, { do = "crash", host = "server", when = "1 probe answered" }"#;
    assert_eq!(of(dual, of_one), Ok(()));
    assert!(of(dual, &of_one.replace(r#", family = "ipv6""#, "")).is_err());
    for what in [
        r#"{ do = "crash", host = "server" }, { do = "resume", host = "server", when = "3 probes sent" }"#,
        r#"{ do = "cable", at = "server", action = "pull" }, { do = "cable", at = "server", action = "plug", when = "1 probe sent" }"#,
        r#"{ do = "lose", on = "switch", to = "server", what = "data" }, { do = "send", when = "1 probe answered" }"#,
        r#"{ do = "send" }, { do = "crash", host = "server", when = "1 probe answered" }"#,
        r#"{ do = "reader", at = "server", action = "pause" }, { do = "fill" }, { do = "reader", at = "server", action = "resume" }, { do = "crash", host = "server", when = "1 probe sent" }"#,
        r#"{ do = "lose", on = "switch", to = "server" }, { do = "fill" }"#,
    ] {
        assert_eq!(of(switched, what), Ok(()), "{what}");
    }
}
