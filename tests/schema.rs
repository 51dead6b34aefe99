//! Compares the JSON Schema of scenarios with the decoder, and that of results with results.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use deadpeer::reference;
use deadpeer::scenario::{self, SCHEMA};
use jsonschema::Validator;
use serde_json::Value;

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

#[test]
fn schema_and_reference_are_as_the_key_tables_have_them() {
    let how = "is stale: run `cargo xtask reference`";
    for (path, made) in [
        ("schema/scenario.schema.json", reference::schema()),
        ("docs/reference.md", reference::markdown()),
    ] {
        assert!(
            fs::read_to_string(root(path)).unwrap() == made,
            "{path} {how}"
        );
    }
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(path.to_str().unwrap()));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn value(text: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(text).ok()?;
    Some(serde_json::to_value(table).unwrap())
}

#[test]
fn every_shipped_and_every_good_file_is_valid() {
    let validator = validator();
    let all = [files("scenarios"), files("tests/good")].concat();
    assert!(all.len() > 20);
    for path in all {
        let instance = value(&fs::read_to_string(&path).unwrap()).unwrap();
        let wrong: Vec<String> = validator
            .iter_errors(&instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
    }
}

/// Invalid files that the schema accepts. Their errors depend on several values, or on the kernel's
/// rules, while a schema checks each value separately.
const BEYOND: &[&str] = &[
    // One table contradicts another.
    "blackhole",
    "case_named_twice",
    "conntrack_without_firewall",
    "exchange_over_fault",
    "exchange_over_fault_in_case",
    "filter_message_of_one_family",
    "family_alone",
    "family_expects_nothing",
    "family_icmp",
    "family_sequence",
    "firewall_without_router",
    "graph_links",
    "graph_sequence",
    "graph_steps",
    "lose_on_cable",
    "lose_probes_of_nobody",
    "no_expectation",
    "no_expectation_in_case",
    "node_not_in_case",
    "node_not_in_topology",
    "one_cable",
    "program_expectation",
    "preset_missing",
    "preset_missing_in_one_case",
    "preset_missing_without_table",
    "probes_without_keepalive",
    "when_without_keepalive",
    // A step contradicts an earlier step.
    "connect",
    "done_twice",
    "filter_sequence",
    "network_sequence",
    "fill_to_a_reader",
    "listener_sequence",
    "listener_without_way",
    "never",
    "never_direct",
    "program_sequence",
    "resume_after_reboot",
    "still_down",
    "undone_before_done",
    "undone_twice",
    // One value contradicts another.
    "probes_contradict",
    "route_on_switch",
    "route_to_itself",
    "tcp_memory",
    // The value of a duration, which is a string.
    "keepalive_fraction",
    "keepalive_time_too_short",
    "survives_zero",
    "user_timeout",
    // The numbers of ICMP messages.
    "counter_of_message_type",
];

#[test]
fn every_bad_file_is_refused_but_those_that_no_schema_can_know() {
    let validator = validator();
    let accepted: BTreeSet<String> = files("tests/bad_input")
        .into_iter()
        .filter(|path| {
            value(&fs::read_to_string(path).unwrap())
                .is_some_and(|instance| validator.is_valid(&instance))
        })
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let beyond: BTreeSet<String> = BEYOND.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(accepted, beyond);
}

/// The places of a file that have a set of known keys: the definition in the schema, and a text
/// with `ODD` at that place.
fn places() -> Vec<(String, String)> {
    let mut places: Vec<(String, String)> = [
        ("", "ODD"),
        ("topology", "topology.ODD"),
        ("firewall", "topology.firewall.ODD"),
        ("link", "topology.links = [{ ODD }]"),
        ("connection", "connection.ODD"),
        ("socket", "connection.client.ODD"),
        ("keepalive", "connection.client.keepalive.ODD"),
        ("sysctl", "connection.client.keepalive.sysctl.ODD"),
        ("case", "case = [{ ODD }]"),
        ("expect", "expect.ODD"),
        ("ends", "expect.ipv6.ODD"),
        ("expectation", "expect.client.ODD"),
        ("expectation.probes", "expect.client.probes.ODD"),
        ("expectation.rst", "expect.client.rst.ODD"),
        ("expectation.icmp", "expect.client.icmp.ODD"),
        ("expectation.neighbours", "expect.client.neighbours.ODD"),
    ]
    .map(|(definition, text)| (definition.to_owned(), text.to_owned()))
    .into();
    let schema = schema();
    for kind in schema["$defs"].as_object().unwrap().keys() {
        if let Some(kind) = kind.strip_prefix("step-") {
            // The keys of a filter depend on its action.
            let action = match kind {
                "filter" => ", action = \"reject\", with = \"rst\"",
                _ => "",
            };
            let text = format!("step = [{{ do = \"{kind}\"{action}, ODD }}]");
            places.push((format!("step-{kind}"), text));
        }
    }
    places
}

fn keys_of_schema(definition: &str) -> BTreeSet<String> {
    let schema = schema();
    let mut at = &schema;
    for (depth, name) in definition
        .split('.')
        .filter(|name| !name.is_empty())
        .enumerate()
    {
        at = if depth == 0 {
            &at["$defs"][name]
        } else {
            &at["properties"][name]
        };
    }
    at["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

/// The keys that the decoder accepts: the help of an unknown key lists them if none is similar.
fn keys_of_decoder(text: &str) -> BTreeSet<String> {
    let text = text.replace("ODD", "qqqqqqqqqqqq = 1");
    let wrong = scenario::parse(Path::new("odd.toml"), &text).unwrap_err();
    let help = wrong
        .iter()
        .find(|diagnostic| diagnostic.message.contains("qqqqqqqqqqqq"))
        .and_then(|diagnostic| diagnostic.help.clone())
        .unwrap_or_else(|| panic!("{text}: {wrong:#?}"));
    let keys = help.split('`').skip(1).step_by(2);
    keys.map(str::to_owned).collect()
}

#[test]
fn schema_and_decoder_know_the_same_keys_everywhere() {
    for (definition, text) in places() {
        assert_eq!(
            keys_of_decoder(&text),
            keys_of_schema(&definition),
            "{text}"
        );
    }
}

#[test]
fn schema_and_decoder_know_the_same_steps() {
    let wrong = scenario::parse(Path::new("odd.toml"), "step = [{ do = \"qqqqqqqqqqqq\" }]");
    let wrong = wrong.unwrap_err();
    let help = wrong.iter().find_map(|diagnostic| {
        let known = diagnostic.message.contains("qqqqqqqqqqqq");
        diagnostic.help.clone().filter(|_| known)
    });
    let help = help.unwrap();
    let decoder: BTreeSet<&str> = help.split('`').skip(1).step_by(2).collect();
    let schema = schema();
    let schema: BTreeSet<&str> = schema["$defs"]
        .as_object()
        .unwrap()
        .keys()
        .filter_map(|name| name.strip_prefix("step-"))
        .collect();
    assert_eq!(decoder, schema);
}
