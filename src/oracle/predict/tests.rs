use std::time::Duration;

use super::predict;
use crate::model::{
    Connection, End, EndSettings, Expectations, Family, Hz, Keepalive, KeepaliveSeconds, Node,
    Preset, ProbeCount, ProbeEvent, RouteChange, Side, Stack,
};
use crate::oracle::prediction::{Origin, PredictedOutcome};
use crate::scenario::{Case, CaseId, Clock};
use crate::step::{
    Action, Cable, CableChange, Crash, Exchange, HardwareAddress, Reboot, Route, SendData, Start,
    Step,
};

fn secs(n: f64) -> Duration {
    Duration::from_secs_f64(n)
}

fn keepalive(idle: u64, interval: u64, probes: u64) -> EndSettings {
    EndSettings {
        keepalive: Some(Keepalive::Options {
            idle: KeepaliveSeconds::new(idle),
            interval: KeepaliveSeconds::new(interval),
            probes: ProbeCount::new(probes),
        }),
        user_timeout: None,
        ..EndSettings::default()
    }
}

fn timeout(seconds: f64) -> EndSettings {
    EndSettings {
        keepalive: None,
        user_timeout: Some(secs(seconds)),
        ..EndSettings::default()
    }
}

/// A case on a routed network, observed at the client, whose first step is an exchange.
fn case(family: Family, client: EndSettings, steps: Vec<(Start, Action)>) -> Case {
    let exchange = Action::from(Exchange {
        from: End::Client,
        payload: b"hello".to_vec(),
    });
    let steps = std::iter::once((Start::AtOnce, exchange))
        .chain(steps)
        .map(|(start, action)| Step {
            start,
            action,
            family: None,
            line: 1,
        })
        .collect();
    Case {
        id: CaseId("test".to_owned()),
        line: 1,
        note: None,
        clock: Clock::Any,
        family,
        stack: Stack::Single,
        topology: Preset::Routed.into(),
        sysctl: Vec::new(),
        firewall: None,
        connection: Connection {
            count: 1,
            client,
            server: EndSettings::default(),
        },
        steps,
        expect: Expectations::default(),
    }
}

fn route(on: Node, to: End, change: RouteChange) -> (Start, Action) {
    (Start::AtOnce, Route { on, to, change }.into())
}

fn send(bytes: u32) -> (Start, Action) {
    let from = End::Client;
    (Start::AtOnce, SendData { from, bytes }.into())
}

fn cable(start: Start, at: End, change: CableChange) -> (Start, Action) {
    let side = Side::Cable(at);
    (start, Cable { side, change }.into())
}

fn reboot(downtime: f64) -> (Start, Action) {
    let (host, downtime) = (End::Server, secs(downtime));
    (
        Start::AtOnce,
        Reboot {
            host,
            downtime,
            mac: HardwareAddress::Kept,
        }
        .into(),
    )
}

fn crash() -> (Start, Action) {
    (Start::AtOnce, Crash { host: End::Server }.into())
}

/// The errno (`?` if not determined) with the earliest and latest time in seconds; `survives`;
/// `open` if there is no prediction.
fn seen(case: &Case) -> (String, f64, f64) {
    match predict(case, End::Client, Hz::new(250).unwrap()).map(|p| p.outcome) {
        None => ("open".to_owned(), 0.0, 0.0),
        Some(PredictedOutcome::Survives) => ("survives".to_owned(), 0.0, 0.0),
        Some(PredictedOutcome::Error { errno, window }) => (
            errno.map_or("?".to_owned(), |errno| errno.to_string()),
            window.earliest.as_secs_f64(),
            window.latest.as_secs_f64(),
        ),
    }
}

#[test]
fn idle_probes_ignore_what_a_router_answers() {
    for family in [Family::Ipv4, Family::Ipv6] {
        for change in [
            RouteChange::Delete,
            RouteChange::Unreachable,
            RouteChange::Prohibit,
        ] {
            let fault = route(Node::ROUTER, End::Server, change);
            let (errno, earliest, latest) = seen(&case(family, keepalive(1, 1, 3), vec![fault]));
            assert_eq!(errno, "ETIMEDOUT");
            assert_eq!((earliest, latest), (4.0, 4.128));
        }
    }
}

#[test]
fn idle_ipv6_reports_its_own_missing_route_and_ipv4_does_not() {
    for (change, errno) in [
        (RouteChange::Delete, "ENETUNREACH"),
        (RouteChange::Unreachable, "EHOSTUNREACH"),
        (RouteChange::Prohibit, "EACCES"),
        (RouteChange::Blackhole, "EINVAL"),
    ] {
        let steps = vec![route(Node::CLIENT, End::Server, change)];
        let ipv6 = case(Family::Ipv6, keepalive(1, 1, 3), steps.clone());
        let ipv4 = case(Family::Ipv4, keepalive(1, 1, 3), steps);
        assert_eq!(seen(&ipv6).0, errno);
        assert_eq!(seen(&ipv4).0, "ETIMEDOUT");
    }
}

#[test]
fn data_in_flight_learns_what_the_router_answers() {
    use Family::{Ipv4, Ipv6};
    // Measured on Linux 6.18 with a user timeout of 4 s.
    for (family, change, errno, at) in [
        (Ipv4, RouteChange::Delete, "ENETUNREACH", 4.964),
        (Ipv4, RouteChange::Unreachable, "EHOSTUNREACH", 5.015),
        (Ipv4, RouteChange::Prohibit, "EHOSTUNREACH", 4.434),
        (Ipv4, RouteChange::Blackhole, "ETIMEDOUT", 4.446),
        (Ipv6, RouteChange::Delete, "ENETUNREACH", 4.517),
        (Ipv6, RouteChange::Unreachable, "ENETUNREACH", 4.512),
        (Ipv6, RouteChange::Prohibit, "EACCES", 4.432),
        (Ipv6, RouteChange::Blackhole, "ETIMEDOUT", 4.424),
    ] {
        let steps = vec![route(Node::ROUTER, End::Server, change), send(10)];
        let (seen, earliest, latest) = seen(&case(family, timeout(4.0), steps));
        assert_eq!(seen, errno, "{family} {change:?}");
        assert!(earliest <= at && at <= latest, "{family} {change:?}");
    }
}

#[test]
fn unsent_data_waits_for_the_probe_timer() {
    for (family, errno) in [(Family::Ipv4, "ETIMEDOUT"), (Family::Ipv6, "EHOSTUNREACH")] {
        let steps = vec![
            route(Node::CLIENT, End::Server, RouteChange::Unreachable),
            send(10),
        ];
        let (seen, earliest, latest) = seen(&case(family, timeout(4.0), steps));
        assert_eq!(seen, errno);
        assert!(earliest <= 4.22 && (4.226..4.6).contains(&latest));
    }
}

#[test]
fn a_lost_return_route_is_silence_for_the_sender() {
    for (on, to) in [(Node::SERVER, End::Client), (Node::ROUTER, End::Client)] {
        let steps = vec![route(on, to, RouteChange::Unreachable), send(10)];
        assert_eq!(
            seen(&case(Family::Ipv4, timeout(4.0), steps)).0,
            "ETIMEDOUT"
        );
    }
}

#[test]
fn a_cable_behind_a_router_is_unreachable_once_resolution_fails() {
    let pulled = |seconds| {
        let steps = vec![
            cable(Start::AtOnce, End::Server, CableChange::Pull),
            send(10),
        ];
        seen(&case(Family::Ipv4, timeout(seconds), steps))
    };
    let (errno, earliest, latest) = pulled(8.0);
    assert_eq!(errno, "EHOSTUNREACH");
    assert!(earliest <= 8.426 && 8.427 <= latest);
    assert_eq!(pulled(3.5).0, "?");
}

#[test]
fn a_crash_is_silence_until_the_neighbour_entry_goes() {
    let crashed = |seconds| {
        let steps = vec![crash(), send(10)];
        seen(&case(Family::Ipv4, timeout(seconds), steps)).0
    };
    assert_eq!(crashed(3.0), "ETIMEDOUT");
    assert_eq!(crashed(60.0), "?");
    assert_eq!(crashed(600.0), "EHOSTUNREACH");
}

#[test]
fn defaults_reset_at_the_first_probe_after_a_reboot() {
    let steps = vec![reboot(60.0)];
    let (errno, earliest, latest) = seen(&case(Family::Ipv4, keepalive(7200, 75, 9), steps));
    assert_eq!(errno, "ECONNRESET");
    assert!(earliest > 7199.9 && earliest <= 7200.0, "{earliest}");
    assert!((7329.0..7332.0).contains(&latest), "{latest}");
}

#[test]
fn a_reboot_is_noticed_by_the_first_probe_that_arrives() {
    let rebooted = |downtime, probes| {
        let steps = vec![reboot(downtime)];
        seen(&case(Family::Ipv4, keepalive(1, 1, probes), steps))
    };
    // Measured: 1.0 s and 3.1 s.
    let (errno, earliest, latest) = rebooted(0.0, 3);
    assert_eq!(
        (errno.as_str(), earliest, latest),
        ("ECONNRESET", 0.996, 1.032)
    );
    let (errno, earliest, latest) = rebooted(2.5, 5);
    assert_eq!(
        (errno.as_str(), earliest, latest),
        ("ECONNRESET", 3.0, 3.096)
    );
    assert_eq!(rebooted(10.0, 3).0, "ETIMEDOUT");
    assert_eq!(rebooted(3.0, 3).0, "open");
}

#[test]
fn a_crash_that_a_reboot_ends_is_one_outage() {
    let crash = (Start::AtOnce, Crash { host: End::Server }.into());
    let (_, power_cycle) = reboot(1.0);
    let after = |time, probes| {
        let reboot = (Start::After(secs(time)), power_cycle.clone());
        let steps = vec![crash.clone(), reboot];
        seen(&case(Family::Ipv4, keepalive(1, 1, probes), steps))
    };
    // As a reboot that takes 2.5 s.
    assert_eq!(after(1.5, 5), ("ECONNRESET".to_owned(), 3.0, 3.096));
    assert_eq!(after(9.0, 3).0, "ETIMEDOUT");
}

#[test]
fn data_after_a_reboot_is_reset_at_once() {
    let steps = vec![
        reboot(0.0),
        (
            Start::After(secs(0.5)),
            SendData {
                from: End::Client,
                bytes: 10,
            }
            .into(),
        ),
    ];
    let case = case(Family::Ipv4, keepalive(1, 1, 3), steps);
    let (errno, _, latest) = seen(&case);
    assert_eq!(errno, "ECONNRESET");
    assert!(latest <= 0.05, "{latest}");
}

#[test]
fn a_fault_undone_in_time_is_survived() {
    let plugged = |after, probes| {
        let steps = vec![
            cable(Start::AtOnce, End::Server, CableChange::Pull),
            cable(Start::After(secs(after)), End::Server, CableChange::Plug),
        ];
        seen(&case(Family::Ipv4, keepalive(1, 1, probes), steps)).0
    };
    assert_eq!(plugged(2.5, 5), "survives");
    assert_eq!(plugged(9.0, 3), "ETIMEDOUT");
    assert_eq!(plugged(3.0, 3), "open");
}

#[test]
fn a_step_that_waits_for_probes_knows_which_come_after_it() {
    let plugged = |count| {
        let what = ProbeEvent::Sent;
        let steps = vec![
            cable(Start::AtOnce, End::Server, CableChange::Pull),
            cable(Start::When { count, what }, End::Server, CableChange::Plug),
        ];
        seen(&case(Family::Ipv4, keepalive(7200, 75, 9), steps)).0
    };
    assert_eq!(plugged(8), "survives");
    assert_eq!(plugged(9), "ETIMEDOUT");
}

#[test]
fn an_end_without_a_timer_never_learns() {
    let steps = vec![crash()];
    assert_eq!(seen(&case(Family::Ipv4, timeout(1.0), steps)).0, "survives");
}

#[test]
fn another_ends_keepalive_may_reset_it_first() {
    let steps = vec![route(Node::ROUTER, End::Server, RouteChange::Delete)];
    let mut both = case(Family::Ipv4, keepalive(1, 1, 3), steps);
    both.connection.server = keepalive(1, 1, 3);
    assert_eq!(seen(&both).0, "open");
    both.connection.server = keepalive(10, 1, 3);
    assert_eq!(seen(&both).0, "ETIMEDOUT");
}

#[test]
fn a_replaced_route_is_still_an_outage() {
    let steps = vec![
        route(Node::ROUTER, End::Server, RouteChange::Delete),
        route(Node::ROUTER, End::Server, RouteChange::Prohibit),
    ];
    let (errno, earliest, _) = seen(&case(Family::Ipv4, keepalive(1, 1, 3), steps));
    assert_eq!((errno.as_str(), earliest), ("ETIMEDOUT", 4.0));
}

#[test]
fn what_counts_as_zero_follows_the_timer() {
    let origin = |steps, settings| {
        let case = case(Family::Ipv4, settings, steps);
        match predict(&case, End::Client, Hz::COARSEST).unwrap().outcome {
            PredictedOutcome::Error { window, .. } => (window.since, window.formula),
            PredictedOutcome::Survives => panic!("survives"),
        }
    };
    assert_eq!(
        origin(vec![crash()], keepalive(1, 1, 3)),
        (Origin::LastReceived, "idle 1s + 3 probes x 1s".to_owned())
    );
    let (since, _) = origin(vec![crash(), send(10)], timeout(3.0));
    assert_eq!(since, Origin::FirstUnacknowledged);
}
