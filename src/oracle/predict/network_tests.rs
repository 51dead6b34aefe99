use super::middlebox_tests::{KEEPALIVE, SEND, TIMEOUT, case, seen};
use super::predict;
use crate::model::{End, Hz};
use crate::oracle::from_zero;
use crate::oracle::prediction::PredictedOutcome;
use crate::scenario::Case;

const OFF: &str = "{ do = \"forwarding\", on = \"router\", action = \"off\" }";
const ON: &str = "{ do = \"forwarding\", on = \"router\", action = \"on\", after = \"2500ms\" }";

fn address(at: &str, action: &str) -> String {
    format!("{{ do = \"address\", at = \"{at}\", action = \"{action}\" }}")
}

fn neighbour(on: &str, to: &str, action: &str) -> String {
    format!("{{ do = \"neighbour\", on = \"{on}\", to = \"{to}\", action = \"{action}\" }}")
}

#[test]
fn packets_that_the_network_drops_are_silence() {
    let wrong = [
        ("client", "server"),
        ("router", "server"),
        ("router", "client"),
        ("server", "client"),
    ]
    .map(|(on, to)| neighbour(on, to, "wrong"));
    for step in wrong.into_iter().chain([OFF.to_owned()]) {
        for family in ["ipv4", "ipv6"] {
            let idle = case(family, KEEPALIVE, "", &[&step]);
            assert_eq!(seen(&idle, End::Client), "ETIMEDOUT 4000..4128", "{step}");
            let in_flight = case(family, TIMEOUT, "", &[&step, SEND]);
            let window = "ETIMEDOUT 2404..2528 in flight";
            assert_eq!(seen(&in_flight, End::Client), window, "{step}");
        }
    }
}

#[test]
fn a_fault_that_is_repaired_in_time_is_survived() {
    let later = |step: String| step.replace(" }", ", after = \"2500ms\" }");
    let restored = later(neighbour("client", "server", "restore"));
    let back = later(address("server", "restore"));
    for steps in [
        [OFF.to_owned(), ON.to_owned()],
        [neighbour("client", "server", "wrong"), restored],
        [address("server", "remove"), back],
    ] {
        let steps = steps.each_ref().map(String::as_str);
        let case = case("ipv4", KEEPALIVE, "", &steps);
        assert_eq!(seen(&case, End::Client), "survives", "{steps:?}");
    }
}

#[test]
fn a_host_without_its_address_cannot_send_unless_over_ipv6_through_a_router() {
    let step = address("client", "remove");
    for (family, idle, in_flight) in [
        (
            "ipv4",
            "ETIMEDOUT 4000..4128",
            "ETIMEDOUT 2200..2284 in flight",
        ),
        ("ipv6", "open", "open"),
    ] {
        let quiet = case(family, KEEPALIVE, "", &[&step]);
        assert_eq!(seen(&quiet, End::Client), idle, "{family}");
        let written = case(family, TIMEOUT, "", &[&step, SEND]);
        assert_eq!(seen(&written, End::Client), in_flight, "{family}");
        let mut near = quiet;
        near.topology = crate::model::Preset::Direct.into();
        let error = if family == "ipv4" {
            "ETIMEDOUT"
        } else {
            "ENETUNREACH"
        };
        assert_eq!(seen(&near, End::Client), format!("{error} 4000..4128"));
    }
}

#[test]
fn a_host_without_its_address_receives_nothing() {
    let step = address("server", "remove");
    for family in ["ipv4", "ipv6"] {
        let idle = case(family, KEEPALIVE, KEEPALIVE, &[&step]);
        assert_eq!(seen(&idle, End::Client), "ETIMEDOUT 4000..4128");
    }
}

#[test]
fn a_forgotten_neighbour_answers_or_not() {
    let forgotten = neighbour("client", "server", "remove");
    let alive = case("ipv4", KEEPALIVE, "", &[&forgotten]);
    assert_eq!(seen(&alive, End::Client), "survives");
    let crash = "{ do = \"crash\", host = \"server\" }";
    let gone = case("ipv4", KEEPALIVE, "", &[crash, &forgotten]);
    assert_eq!(seen(&gone, End::Client), "open");
}

#[test]
fn a_fault_that_comes_and_goes_by_itself_has_no_rule() {
    for step in [
        "{ do = \"flap\", at = \"server\", count = 2, period = \"4s\" }",
        "{ do = \"impair\", at = \"server\", loss = \"20%\" }",
        "{ do = \"reboot\", host = \"server\", mac = \"new\" }",
    ] {
        let case = case("ipv4", KEEPALIVE, "", &[step]);
        assert_eq!(seen(&case, End::Client), "open", "{step}");
    }
}

#[test]
fn a_step_of_the_other_family_does_not_affect_this_path() {
    let steps = [
        "{ do = \"route\", on = \"router\", to = \"server\", action = \"delete\", family = \"ipv6\" }",
        "{ do = \"address\", at = \"server\", action = \"remove\", family = \"ipv6\" }",
        "{ do = \"forwarding\", on = \"router\", action = \"off\", family = \"ipv6\" }",
        "{ do = \"neighbour\", on = \"router\", to = \"server\", action = \"wrong\", family = \"ipv6\" }",
        "{ do = \"filter\", on = \"router\", action = \"drop\", family = \"ipv6\" }",
        "{ do = \"lose\", on = \"router\", to = \"server\", family = \"ipv6\" }",
    ];
    for step in steps {
        let mut variant = case("dual", KEEPALIVE, "", &[step]);
        assert_eq!(seen(&variant, End::Client), "survives", "{step}");
        variant.family = variant.family.other();
        assert_eq!(
            seen(&variant, End::Client),
            "ETIMEDOUT 4000..4128",
            "{step}"
        );
    }
}

#[test]
fn after_a_first_fault_of_the_other_family_the_window_from_zero_is_unknown() {
    let drop = |family| {
        format!(
            "{{ do = \"filter\", on = \"router\", action = \"drop\", family = \"{family}\", after = \"2s\" }}"
        )
    };
    let (ipv6, ipv4) = (drop("ipv6"), drop("ipv4"));
    let [alone, second] = [&[ipv4.as_str()][..], &[ipv6.as_str(), ipv4.as_str()]]
        .map(|steps| case("dual", KEEPALIVE, "", steps));
    let from_zero = |case: &Case| {
        let hz = Hz::new(250).unwrap();
        let outcome = predict(case, End::Client, hz).unwrap().outcome;
        let PredictedOutcome::Error { window, .. } = outcome else {
            panic!("{outcome:?}");
        };
        from_zero(case, End::Client, &window, hz.into())
    };
    assert!(from_zero(&alone).is_some());
    assert_eq!(from_zero(&second), None);
}

#[test]
fn a_step_that_waits_for_probes_which_may_differ_settles_nothing() {
    let drop = |rest| {
        format!("{{ do = \"filter\", on = \"router\", action = \"drop\", to = \"server\"{rest} }}")
    };
    let crash = "{ do = \"crash\", host = \"server\", when = \"2 probes sent\" }";
    let alike = case("dual", KEEPALIVE, "", &[crash]);
    assert_eq!(seen(&alike, End::Client), "ETIMEDOUT 4000..4128");
    let mut differing = case(
        "dual",
        KEEPALIVE,
        "",
        &[&drop(", family = \"ipv6\""), crash],
    );
    assert_eq!(seen(&differing, End::Client), "open");
    differing.family = differing.family.other();
    assert_eq!(seen(&differing, End::Client), "open");
}

#[test]
fn a_step_at_the_network_waits_for_the_exchange_of_the_other_variant() {
    let exchange = "{ do = \"exchange\" }";
    let lose = "{ do = \"lose\", on = \"router\", to = \"server\", what = \"data\", nth = [1], family = \"ipv6\" }";
    let crash = "{ do = \"crash\", host = \"server\" }";
    let seen_of = |steps: &[&str]| seen(&case("dual", KEEPALIVE, "", steps), End::Client);
    assert_eq!(seen_of(&[lose, crash]), "ETIMEDOUT 4000..4128");
    assert_eq!(seen_of(&[exchange, lose, crash]), "ETIMEDOUT 4000..4128");
    assert_eq!(seen_of(&[lose, exchange, crash]), "open");
}

#[test]
fn probes_that_are_not_answered_are_waited_for() {
    let route =
        |action| format!("do = \"route\", on = \"router\", to = \"server\", action = \"{action}\"");
    let fault = format!("{{ {} }}", route("unreachable"));
    let repair = format!("{{ {}, when = \"2 probes sent\" }}", route("restore"));
    let seen = seen(
        &case("ipv4", KEEPALIVE, "", &[&fault, &repair]),
        End::Client,
    );
    assert_eq!(seen, "survives");
}
