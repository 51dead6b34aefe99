use super::{judge, mismatches, only};
use crate::evidence::{Evidence, SocketSample, SocketState, TcpInfo, Timer};
use crate::model::{CLIENT_PORT, End, TcpState, TimerKind};
use crate::outcome::{EndObservation, Observation, Verdict};
use crate::testing::{Line, MS, at, client, crashed, observed};
use crate::wire::icmp::Quoted;
use crate::wire::{IcmpMessage, Neighbours};

const ENDS: i64 = 4_060 * MS;

/// The mismatches of the observation, as text; empty if all expectations are met.
fn wrong(asked: &str, observation: &Observation) -> Vec<String> {
    let prepared = crashed(&format!(r#"error = "ETIMEDOUT", {asked}"#));
    let mismatches = mismatches(&prepared, observation);
    mismatches
        .into_iter()
        .map(|mismatch| format!("{}: {}", mismatch.expected, mismatch.observed))
        .collect()
}

fn seen(end: EndObservation) -> Observation {
    observed(vec![end])
}

#[test]
fn retransmissions_and_resets_are_counted_from_the_fault_to_the_end() {
    let line = Line::established(-40 * MS)
        .out(-20 * MS, 5)
        .out_again(-10 * MS, 5)
        .answered(-5 * MS)
        .out(10 * MS, 10)
        .out_again(210 * MS, 10)
        .answered(220 * MS)
        .fails("ETIMEDOUT", ENDS);
    let prepared = crashed(
        r#"error = "ETIMEDOUT", within = "4s..4.1s", retransmissions = 1, rst = { received = 0 }"#,
    );
    assert_eq!(mismatches(&prepared, &seen(client(vec![line.clone()]))), []);
    let prepared = crashed(r#"error = "ETIMEDOUT", within = "4s..4.1s", retransmissions = 0"#);
    let found = only(mismatches(&prepared, &seen(client(vec![line]))));
    assert_eq!(found.observed, "1, at 0.21s");
}

#[test]
fn a_round_trip_that_the_machine_has_made_long_leaves_no_verdict() {
    let late = |rtt, at_nanos| {
        let sample = SocketSample {
            at: at(at_nanos),
            end: End::Client,
            connection: CLIENT_PORT,
            state: Some(SocketState {
                state: TcpState::Established,
                timer: None,
                receive_queue: 0,
                send_queue: 0,
                info: Some(TcpInfo {
                    rtt,
                    ..TcpInfo::default()
                }),
            }),
        };
        let end = client(vec![
            Line::established(-40 * MS).fails("ETIMEDOUT", 4_300 * MS),
        ]);
        let observation = Observation {
            evidence: Evidence {
                sockets: vec![sample],
                ..Evidence::default()
            },
            ..seen(end)
        };
        judge(&crashed(r#"error = "ETIMEDOUT""#), &observation)
    };
    let Verdict::Undecided(undecided) = late(100_000, -20 * MS) else {
        panic!("a verdict over a round trip of 100 ms");
    };
    assert_eq!(
        undecided.disturbances,
        ["the kernel of the client measured a round-trip time of 0.1s; at most 0.04s is allowed"]
    );
    assert!(matches!(late(40_000, -20 * MS), Verdict::Failed(_)));
    // A round trip that the fault has lengthened.
    assert!(matches!(late(100_000, 20 * MS), Verdict::Failed(_)));
}

#[test]
fn a_reset_that_came_in_is_told() {
    let line = Line::established(-40 * MS)
        .reset(2_000 * MS)
        .fails("ETIMEDOUT", ENDS);
    let observation = seen(client(vec![line]));
    let none = wrong("rst = { received = 0 }", &observation);
    assert_eq!(none, ["0 RST received on the wire: 1, at 2s"]);
    assert!(wrong("rst = { received = 1, sent = 0 }", &observation).is_empty());
}

#[test]
fn icmp_counts_by_type_and_code_while_the_connection_lasts() {
    let mut end = client(vec![Line::established(-40 * MS).fails("ETIMEDOUT", ENDS)]);
    let message = IcmpMessage {
        from: [192, 0, 2, 254].into(),
        kind: (3, 1),
        quoted: None,
    };
    let about = Quoted {
        connection: CLIENT_PORT,
        seq: 1009,
    };
    let track = &mut end.connections[0].track;
    track.observe_icmp(at(1_000 * MS), message, about);
    track.rst_sent.push(at(ENDS - MS));
    // An error that quotes the RST itself.
    track.observe_icmp(at(ENDS - MS), message, about);
    let observation = seen(end);
    let asked = |count| format!("icmp = {{ ipv4 = {{ host-unreachable = {count} }} }}");
    assert!(wrong(&asked(1), &observation).is_empty());
    let two = wrong(&asked(2), &observation);
    assert_eq!(two, ["2 ICMP host-unreachable on the wire: 1, at 1s"]);
    let other = wrong("icmp = { ipv4 = { net-unreachable = 1 } }", &observation);
    assert_eq!(other, ["1 ICMP net-unreachable on the wire: 0"]);
    // Errors of the other family are checked in the cases of that family.
    assert!(wrong("icmp = { ipv6 = { no-route = 9 } }", &observation).is_empty());
    // No machine in this network has the address of the sender.
    let sender = wrong("icmp.from = \"server\"", &observation);
    assert_eq!(
        sender,
        ["ICMP errors from server, and no other: one from 192.0.2.254"]
    );
    let silence = client(vec![Line::established(-40 * MS).fails("ETIMEDOUT", ENDS)]);
    let nobody = wrong("icmp.from = \"server\"", &seen(silence));
    assert_eq!(nobody, ["ICMP errors from server, and no other: none"]);
}

#[test]
fn neighbours_are_counted_for_the_host() {
    let end = EndObservation {
        neighbours: Neighbours {
            solicited: vec![at(-MS), at(5_100 * MS)],
            answered: vec![],
        },
        ..client(vec![Line::established(-40 * MS).fails("ETIMEDOUT", ENDS)])
    };
    let observation = seen(end);
    assert!(
        wrong(
            "neighbours = { solicited = 1, advertised = 0 }",
            &observation
        )
        .is_empty()
    );
    let answered = wrong("neighbours = { advertised = 1 }", &observation);
    assert_eq!(answered, ["1 ARP or NDP replies on the wire: 0"]);
}

fn sampled(samples: &[(i64, Option<TimerKind>)], closed: bool) -> Observation {
    let sample = |nanos, state| SocketSample {
        at: at(nanos),
        end: End::Client,
        connection: CLIENT_PORT,
        state,
    };
    let open = |timer: Option<TimerKind>| SocketState {
        state: TcpState::Established,
        timer: timer.map(|kind| Timer {
            kind,
            expires: std::time::Duration::from_secs(1),
        }),
        receive_queue: 0,
        send_queue: 0,
        info: None,
    };
    let mut sockets: Vec<SocketSample> = samples
        .iter()
        .map(|(nanos, timer)| sample(*nanos, Some(open(*timer))))
        .collect();
    sockets.extend(closed.then(|| sample(ENDS - MS / 2, None)));
    let end = client(vec![Line::established(-40 * MS).fails("ETIMEDOUT", ENDS)]);
    Observation {
        evidence: Evidence {
            sockets,
            ..Evidence::default()
        },
        ..seen(end)
    }
}

#[test]
fn the_timer_is_the_one_that_was_armed_last() {
    use TimerKind::{Keepalive, On};
    let observation = sampled(&[(0, Some(On)), (3_000 * MS, Some(Keepalive))], true);
    assert!(wrong(r#"timer = "keepalive""#, &observation).is_empty());
    let on = wrong(r#"timer = "on""#, &observation);
    assert_eq!(on, ["timer on at the end: keepalive"]);
    assert!(wrong(r#"timer = "none""#, &sampled(&[(0, None)], true)).is_empty());
    let never = wrong(r#"timer = "on""#, &sampled(&[], false));
    assert_eq!(
        never,
        ["timer on at the end: the socket was never looked at"]
    );
}

#[test]
fn a_connection_that_the_kernel_does_not_list_is_closed() {
    let closed = sampled(&[(0, None)], true);
    assert!(wrong(r#"state = "CLOSE""#, &closed).is_empty());
    let open = wrong(r#"state = "CLOSE""#, &sampled(&[(0, None)], false));
    assert_eq!(open, ["state CLOSE at the end: ESTABLISHED"]);
}

#[test]
fn probes_are_as_far_apart_as_the_file_says() {
    let line = |third| {
        Line::established(-40 * MS)
            .probes(&[1_000 * MS, 2_000 * MS, third])
            .fails("ETIMEDOUT", ENDS)
    };
    let asked = r#"probes = { spacing = "1s" }"#;
    let even = seen(client(vec![line(3_030 * MS)]));
    assert!(wrong(asked, &even).is_empty());
    for third in [2_900 * MS, 3_200 * MS] {
        assert_eq!(wrong(asked, &seen(client(vec![line(third)]))).len(), 1);
    }
}
