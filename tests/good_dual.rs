//! The cases of a file whose network has both families.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::path::Path;

use deadpeer::model::{End, ExpectedOutcome, Family, Hz, Stack};
use deadpeer::prepare::{Prepared, prepare};
use deadpeer::report::plan;
use deadpeer::scenario::{Case, parse};

fn prepared(text: &str) -> Vec<Prepared> {
    let scenario = parse(Path::new("file.toml"), text).unwrap();
    prepare(vec![scenario], Hz::new(250).unwrap()).unwrap()
}

fn text(family: &str, rest: &str) -> String {
    format!(
        "summary = 's'\n\
         topology = {{ preset = 'routed', family = {family} }}\n\
         connection.client.keepalive = {{ time = '3s' }}\n\
         {rest}\n"
    )
}

/// The name, the family and the stack of each case.
fn variants(family: &str) -> Vec<(String, Family, Stack)> {
    let told = |case: &Case| (case.id.to_string(), case.family, case.stack);
    let all = prepared(&text(family, "expect.client.survives = '1s'"));
    all.iter().map(|prepared| told(&prepared.case)).collect()
}

#[test]
fn a_dual_network_makes_two_variants_and_may_stand_beside_others() {
    let ipv4 = ("file/dual-ipv4".to_owned(), Family::Ipv4, Stack::Dual);
    let ipv6 = ("file/dual-ipv6".to_owned(), Family::Ipv6, Stack::Dual);
    assert_eq!(variants("'dual'"), [ipv4.clone(), ipv6.clone()]);
    let single = ("file/ipv6".to_owned(), Family::Ipv6, Stack::Single);
    assert_eq!(variants("['ipv6', 'dual']"), [single, ipv4, ipv6]);
}

#[test]
fn both_variants_have_the_same_machines_with_the_addresses_of_both_families() {
    let both = prepared(&text("'dual'", "expect.client.survives = '1s'"));
    let networks = both[0].networks();
    assert_eq!(networks, both[1].networks());
    assert_eq!(networks.len(), 2);
    for (one, other) in networks[0].nodes.iter().zip(&networks[1].nodes) {
        for (one, other) in one.interfaces.iter().zip(&other.interfaces) {
            assert_eq!(
                (&one.name, one.index, one.mac),
                (&other.name, other.index, other.mac)
            );
        }
    }
    assert_eq!(both[1].network, networks[1]);
    assert_eq!(both[1].network.family, Family::Ipv6);
    let lines = plan::lines(&both[1]).join("\n");
    let beside = "also over   ipv4: client 192.0.2.1/24 - router";
    assert!(lines.contains(beside), "{lines}");
}

fn lasts(case: &Case) -> u64 {
    let expected = case.expect.end(End::Client).unwrap();
    let ExpectedOutcome::Survives(time) = expected.outcome else {
        panic!("{expected:?}");
    };
    time.as_secs()
}

#[test]
fn what_is_expected_of_one_family_stands_in_for_what_is_expected_of_both_and_a_case_wins() {
    let cases = "expect.client.survives = '1s'\n\
                 expect.ipv6.client.survives = '2s'\n\
                 [[case]]\nname = 'as-the-file'\n\
                 [[case]]\nname = 'all-anew'\nexpect.client.survives = '3s'\n\
                 [[case]]\nname = 'one-anew'\nexpect.ipv4.client.survives = '4s'";
    for family in ["'dual'", "['ipv4', 'ipv6']"] {
        let prepared = prepared(&text(family, cases));
        let times: Vec<u64> = prepared.iter().map(|one| lasts(&one.case)).collect();
        assert_eq!(times, [1, 2, 3, 3, 4, 2]);
    }
}

#[test]
fn a_step_of_one_family_is_told_and_makes_no_difference_to_the_other() {
    let step = "step = [{ do = 'route', on = 'router', to = 'server', action = 'delete', family = 'ipv6' }]\n\
                expect.client.survives = '1s'";
    let both = prepared(&text("'dual'", step));
    let step = &both[0].case.steps[0];
    assert_eq!(
        step.to_string(),
        "delete the route to the server on the router (ipv6 only)"
    );
    assert!(!step.applies_to(Family::Ipv4) && step.applies_to(Family::Ipv6));
    let rules = both.iter().map(|one| one.prediction(End::Client).unwrap());
    let rules: Vec<&str> = rules.map(|prediction| prediction.rule.as_str()).collect();
    assert!(rules[0].starts_with("nothing is lost"), "{}", rules[0]);
    assert!(
        rules[1].starts_with("keepalive: 3 unanswered"),
        "{}",
        rules[1]
    );
}
