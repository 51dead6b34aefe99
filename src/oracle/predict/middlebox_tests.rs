use std::path::Path;

use super::predict;
use crate::model::{End, Hz};
use crate::oracle::prediction::{Origin, PredictedOutcome};
use crate::scenario::{Case, parse};

pub(super) const KEEPALIVE: &str = "keepalive = { idle = \"1s\", interval = \"1s\", probes = 3 }";
pub(super) const TIMEOUT: &str = "user_timeout = \"2s\"";
pub(super) const SEND: &str = "{ do = \"send\" }";

pub(super) fn case(family: &str, client: &str, server: &str, steps: &[&str]) -> Case {
    let firewall = if steps[0].contains("conntrack") {
        ", firewall = { loose = false }"
    } else {
        ""
    };
    let steps = steps.join(", ");
    let text = format!(
        "summary = \"x\"\n\
         topology = {{ preset = \"routed\", family = \"{family}\"{firewall} }}\n\
         connection = {{ client = {{ {client} }}, server = {{ {server} }} }}\n\
         step = [{{ do = \"exchange\" }}, {steps}]\n\
         expect.client.survives = \"1s\"\n"
    );
    parse(Path::new("x.toml"), &text).unwrap().cases.remove(0)
}

/// The prediction in text form: an errno with the earliest and latest millisecond, and `in flight`
/// if they count from data in flight; `survives`; `open` if there is no prediction.
pub(super) fn seen(case: &Case, end: End) -> String {
    match predict(case, end, Hz::new(250).unwrap()).map(|known| known.outcome) {
        None => "open".to_owned(),
        Some(PredictedOutcome::Survives) => "survives".to_owned(),
        Some(PredictedOutcome::Error { errno, window }) => format!(
            "{} {}..{}{}",
            errno.unwrap(),
            window.earliest.as_millis(),
            window.latest.as_millis(),
            match window.since {
                Origin::LastReceived => "",
                Origin::FirstUnacknowledged => " in flight",
            }
        ),
    }
}

fn filter(rest: &str) -> String {
    format!("{{ do = \"filter\", on = \"router\", {rest} }}")
}

#[test]
fn silence_is_silence_whoever_makes_it() {
    let crash = "{ do = \"crash\", host = \"server\" }".to_owned();
    let both = filter("action = \"drop\"");
    let to_server = filter("action = \"drop\", to = \"server\"");
    let to_client = filter("action = \"drop\", to = \"client\"");
    let lost = "{ do = \"lose\", on = \"router\", to = \"server\" }".to_owned();
    let flushed = "{ do = \"conntrack\", on = \"router\", action = \"flush\" }".to_owned();
    for step in [crash, both, to_server, to_client, lost, flushed] {
        let idle = case("ipv4", KEEPALIVE, "", &[&step]);
        assert_eq!(seen(&idle, End::Client), "ETIMEDOUT 4000..4128", "{step}");
        let in_flight = case("ipv6", TIMEOUT, "", &[&step, SEND]);
        let window = "ETIMEDOUT 2404..2528 in flight";
        assert_eq!(seen(&in_flight, End::Client), window, "{step}");
    }
}

#[test]
fn a_code_is_believed_of_data_in_flight_only() {
    let rejecting = |message| filter(&format!("action = \"reject\", with = \"{message}\""));
    let codes = [
        ("ipv4", "net-unreachable", "ENETUNREACH 2404..3480"),
        ("ipv4", "host-unreachable", "EHOSTUNREACH 2404..3480"),
        ("ipv4", "protocol-unreachable", "ENOPROTOOPT 2404..2528"),
        ("ipv4", "port-unreachable", "ECONNREFUSED 2404..2528"),
        ("ipv4", "source-route-failed", "EOPNOTSUPP 2404..2528"),
        ("ipv4", "net-unknown", "ENETUNREACH 2404..2528"),
        ("ipv4", "host-unknown", "EHOSTDOWN 2404..2528"),
        ("ipv4", "host-isolated", "ENONET 2404..2528"),
        (
            "ipv4",
            "communication-prohibited",
            "EHOSTUNREACH 2404..2528",
        ),
        ("ipv6", "no-route", "ENETUNREACH 2404..3480"),
        ("ipv6", "communication-prohibited", "EACCES 2404..2528"),
        ("ipv6", "beyond-scope", "EHOSTUNREACH 2404..2528"),
        ("ipv6", "address-unreachable", "EHOSTUNREACH 2404..2528"),
        ("ipv6", "port-unreachable", "ECONNREFUSED 2404..2528"),
        ("ipv6", "reject-route", "EACCES 2404..2528"),
    ];
    for (family, message, expected) in codes {
        let step = rejecting(message);
        let in_flight = seen(&case(family, TIMEOUT, "", &[&step, SEND]), End::Client);
        assert_eq!(in_flight, format!("{expected} in flight"), "{message}");
        let idle = seen(&case(family, KEEPALIVE, "", &[&step]), End::Client);
        assert_eq!(idle, "ETIMEDOUT 4000..4128", "{message}");
    }
    // The filter rejects the other end's acknowledgement: that end gets the error, this one does
    // not.
    let step = filter("action = \"reject\", with = \"port-unreachable\", to = \"client\"");
    let in_flight = seen(&case("ipv4", TIMEOUT, "", &[&step, SEND]), End::Client);
    assert_eq!(in_flight, "ETIMEDOUT 2404..2528 in flight");
}

#[test]
fn a_rst_ends_it_at_the_first_segment() {
    let rst = filter("action = \"reject\", with = \"rst\"");
    let idle = case("ipv4", KEEPALIVE, "", &[&rst]);
    assert_eq!(seen(&idle, End::Client), "ECONNRESET 996..1032");
    let in_flight = case("ipv4", KEEPALIVE, "", &[&rst, SEND]);
    assert_eq!(seen(&in_flight, End::Client), "ECONNRESET 0..50 in flight");
    // The filter rejects the server's answer to a probe of the client: the server gets the RST.
    let answers = filter("action = \"reject\", with = \"rst\", to = \"client\"");
    let answers = case("ipv4", KEEPALIVE, "", &[&answers]);
    assert_eq!(seen(&answers, End::Client), "ETIMEDOUT 4000..4128");
    assert_eq!(seen(&answers, End::Server), "open");
    let both = case("ipv4", KEEPALIVE, KEEPALIVE, &[&rst]);
    assert_eq!(seen(&both, End::Client), "open");
}

#[test]
fn what_hits_some_segments_is_not_settled() {
    let lose = |rest| format!("{{ do = \"lose\", on = \"router\", to = \"server\", {rest} }}");
    let some = [
        lose("nth = 1"),
        lose("what = \"probes\""),
        lose("fraction = \"30%\", seed = 1"),
        filter("action = \"drop\", what = \"data\""),
        "{ do = \"mtu\", on = \"router\", to = \"server\", bytes = 1300 }".to_owned(),
    ];
    for step in some {
        assert_eq!(
            seen(&case("ipv4", KEEPALIVE, "", &[&step]), End::Client),
            "open",
            "{step}"
        );
    }
}
