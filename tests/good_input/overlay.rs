//! The tables of a file and the overlay of a case.

use super::*;

const BASE: &str = r#"
summary = "s"
[topology]
preset = "routed"
family = "ipv4"
[connection]
count = 2
[connection.client]
keepalive = { idle = "1s", interval = "2s" }
user_timeout = "3s"
[[step]]
do = "exchange"
[expect.client]
error = "ETIMEDOUT"
descriptors = "returned"
[expect.server]
survives = "1s"
[[case]]
name = "same"
note = "as the file has it"
[[case]]
name = "other"
[case.topology]
family = ["ipv6", "ipv4"]
[case.connection.client]
keepalive = { probes = 5 }
[case.connection.server]
user_timeout = "4s"
[case.expect.client]
survives = "9s"
[[case.step]]
do = "send"
"#;

#[test]
fn a_case_overlays_the_file_key_by_key() {
    let scenario = scenario(BASE);
    assert_eq!(
        ids(&scenario),
        ["file/same/ipv4", "file/other/ipv6", "file/other/ipv4"]
    );
    let (same, other) = (&scenario.cases[0], &scenario.cases[1]);
    assert_eq!((same.line, other.line), (18, 21));
    assert_eq!(same.note.as_deref(), Some("as the file has it"));

    // The preset and the count come from the file, the family from the case.
    assert_eq!(other.topology, Preset::Routed.into());
    assert_eq!(other.connection.count, 2);

    // The case replaces the whole keepalive table, but not the user timeout in the same table.
    let keepalive = Keepalive::Options {
        idle: None,
        interval: None,
        probes: ProbeCount::new(5),
    };
    assert_eq!(other.connection.client.keepalive, Some(keepalive));
    assert_eq!(other.connection.client.user_timeout, Some(millis(3000)));
    assert_eq!(other.connection.server.user_timeout, Some(millis(4000)));
    assert_eq!(same.connection.server.user_timeout, None);
}

#[test]
fn what_is_left_out_of_a_firewall_is_the_kernels() {
    let firewall = |firewall: &str| {
        let text = BASE.replace(
            "preset = \"routed\"",
            &format!("preset = \"routed\"\nfirewall = {firewall}"),
        );
        scenario(&text).cases[0].firewall
    };
    let five_days = TrackingSeconds::new(432_000).unwrap();
    let kernels = Firewall {
        on: Node::ROUTER,
        established: five_days,
        loose: true,
        nat: false,
    };
    assert_eq!(scenario(BASE).cases[0].firewall, None);
    assert_eq!(firewall("{}"), Some(kernels));
    assert_eq!(firewall("{ loose = true }"), Some(kernels));
    let nat = Firewall {
        nat: true,
        ..kernels
    };
    assert_eq!(firewall("{ nat = true }"), Some(nat));
    assert_eq!(firewall("{ established = \"5d\" }"), Some(kernels));
    let strict = Firewall {
        loose: false,
        ..kernels
    };
    assert_eq!(firewall("{ loose = false }"), Some(strict));
}

#[test]
fn a_case_appends_steps_and_replaces_expectations_by_end() {
    let scenario = scenario(BASE);
    let (same, other) = (&scenario.cases[0], &scenario.cases[1]);
    assert_eq!(same.steps.len(), 1);
    assert_eq!(other.steps[..1], same.steps[..]);
    assert!(matches!(
        other.steps[1].action,
        Action::Program(ProgramAction::SendData(_))
    ));

    let client = other.expect.client.as_ref().unwrap();
    assert_eq!(client.outcome, ExpectedOutcome::Survives(millis(9000)));
    assert!(!client.descriptors_return);
    assert_eq!(other.expect.server, same.expect.server);
}

#[test]
fn what_a_case_expects_of_both_families_wins_over_what_the_file_expects_of_one() {
    let text = BASE
        .replace("family = \"ipv4\"", "family = [\"ipv4\", \"ipv6\"]")
        .replace(
            "[[case]]\nname = \"same\"",
            "[expect.ipv6.client]\nsurvives = \"5s\"\n[[case]]\nname = \"same\"",
        );
    let scenario = scenario(&text);
    let outcomes = scenario.cases.iter().map(|case| {
        let client = case.expect.client.as_ref().unwrap();
        (
            case.id.0.as_str(),
            client.outcome.key(),
            client.outcome.lasts(),
        )
    });
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        [
            ("file/same/ipv4", "error", None),
            ("file/same/ipv6", "survives", Some(millis(5000))),
            ("file/other/ipv6", "survives", Some(millis(9000))),
            ("file/other/ipv4", "survives", Some(millis(9000))),
        ]
    );
}

/// The errors of the file after the replacement of `from` by `to`.
fn messages(from: &str, to: &str) -> Vec<String> {
    assert!(BASE.contains(from));
    let errors = parse(Path::new("file.toml"), &BASE.replace(from, to)).unwrap_err();
    errors.into_iter().map(|error| error.message).collect()
}

#[test]
fn a_mistake_of_the_file_is_an_error_though_every_case_replaces_it() {
    let same = "name = \"same\"\nexpect.client.survives = \"7s\"";
    let text = BASE.replace("name = \"same\"", same);
    let text = text.replace("error = \"ETIMEDOUT\"", "error = \"ETIMEOUT\"");
    let errors = parse(Path::new("file.toml"), &text).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].message, "`ETIMEOUT` is not an errno of Linux");
}

#[test]
fn a_mistake_in_what_both_families_replace_is_an_error() {
    let families = "survives = \"9s\"\n\
                    [case.expect.ipv4.client]\nsurvives = \"9s\"\n\
                    [case.expect.ipv6.client]\nsurvives = \"9s\"";
    let text = BASE.replace("survives = \"9s\"", families);
    assert!(parse(Path::new("file.toml"), &text).is_ok());
    let text = text.replacen("survives = \"9s\"", "survives = \"0s\"", 1);
    let errors = parse(Path::new("file.toml"), &text).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].message, "`case.expect.client.survives` is zero");
}

#[test]
fn a_value_of_a_case_has_the_path_of_the_case() {
    assert_eq!(
        messages("user_timeout = \"4s\"", "user_timeout = 4"),
        ["`case.connection.server.user_timeout` must be a duration, not an integer"]
    );
    assert_eq!(
        messages("user_timeout = \"3s\"", "user_timeout = 3"),
        ["`connection.client.user_timeout` must be a duration, not an integer"]
    );
}

#[test]
fn a_key_that_is_absent_beside_an_unknown_one_is_not_missed_as_well() {
    // One case has a preset of its own. The other lacks one, because the file misspells the key.
    assert_eq!(
        messages("preset = \"routed\"", "pre = \"routed\""),
        ["unknown key `pre` in `topology`"]
    );
    // A misspelled key of a link is one error, independent of the number of cases that use it.
    let links = "nodes = { r1 = \"router\" }\n\
                 links = [{ betwen = [\"client\", \"r1\"] }, { between = [\"r1\", \"server\"] }]";
    assert_eq!(
        messages("preset = \"routed\"", links),
        ["unknown key `betwen` in `topology.links`"]
    );
}

#[test]
fn a_preset_may_come_from_every_case_alone() {
    let text = BASE
        .replace("preset = \"routed\"", "")
        .replace(
            "name = \"same\"",
            "name = \"same\"\ntopology.preset = \"direct\"",
        )
        .replace("[case.topology]", "[case.topology]\npreset = \"switched\"");
    let scenario = scenario(&text);
    let presets: Vec<_> = scenario.cases.iter().map(|c| c.topology.preset()).collect();
    let expected = [Preset::Direct, Preset::Switched, Preset::Switched].map(Some);
    assert_eq!(presets, expected);
}

/// The decoded file, without its text and its byte ranges.
fn meaning(text: &str) -> Scenario {
    let mut scenario = scenario(text);
    scenario.text = "".into();
    let expectations = scenario.cases.iter_mut().map(|case| &mut case.expect);
    let ends = expectations.flat_map(|expect| [&mut expect.client, &mut expect.server]);
    for expectation in ends.flatten() {
        expectation.places = Places {
            outcome: 0..0,
            within: None,
        };
    }
    scenario
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
    let dos = format!("\u{feff}{}", BASE.replace('\n', "\r\n"));
    assert_eq!(meaning(&dos), meaning(BASE));
}

#[test]
fn a_mistake_in_a_shared_part_is_reported_once_for_all_cases() {
    let text = BASE.replace("do = \"exchange\"", "do = \"resume\"\nhost = \"client\"");
    let errors = parse(Path::new("file.toml"), &text).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
}
