//! The messages for each kind of mistake in a scenario file: one fixture for each kind, with its
//! messages in a snapshot beside it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use deadpeer::scenario;
use deadpeer::scenario::diagnostic;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input")
}

fn explain(fixture: &str) {
    let name = format!("{fixture}.toml");
    let text = fs::read_to_string(folder().join(&name)).unwrap();
    let name = Path::new(&name);
    let diagnostics = scenario::parse(name, &text).expect_err("the file is accepted");
    let rendered: Vec<String> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic::render(name, &text, diagnostic, false))
        .collect();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("bad_input");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(fixture, rendered.join("\n\n")));
}

macro_rules! fixtures {
    ($($name:ident),+ $(,)?) => {
        $(#[test] fn $name() { explain(stringify!($name)); })+
        const TESTED: &[&str] = &[$(stringify!($name)),+];
    };
}

fixtures! {
    after_and_when,
    blackhole,
    bytes,
    case_key_after_step,
    case_name,
    case_name_long,
    case_named_twice,
    connect,
    conntrack,
    conntrack_without_firewall,
    count,
    counter,
    counter_of_message_type,
    curly_quotes,
    done_twice,
    duration,
    elsewhere,
    empty,
    empty_text,
    errno,
    error_and_survives,
    evidence,
    exchange_over_fault,
    exchange_over_fault_in_case,
    family,
    family_alone,
    family_empty,
    family_expects_nothing,
    family_icmp,
    family_of_interface,
    family_sequence,
    fill_to_a_reader,
    filter,
    filter_message_of_one_family,
    filter_sequence,
    firewall,
    firewall_without_router,
    graph_both,
    graph_links,
    graph_names,
    graph_sequence,
    graph_size,
    graph_steps,
    impair,
    impair_sequence,
    json,
    json_inline,
    json_lines,
    keepalive_empty,
    keepalive_fraction,
    keepalive_in_parts,
    keepalive_limits,
    keepalive_mixed_forms,
    keepalive_probes_zero,
    keepalive_sysctl_mixed_names,
    keepalive_time_too_short,
    listener,
    listener_sequence,
    listener_without_way,
    lose,
    lose_on_cable,
    lose_probes_of_nobody,
    many,
    missing_keys,
    misplaced,
    misspelt_tables,
    network,
    network_sequence,
    never,
    never_direct,
    no_expectation,
    no_expectation_in_case,
    node_not_in_case,
    node_not_in_topology,
    numbers,
    one_cable,
    outcome,
    preset,
    preset_missing,
    preset_missing_in_one_case,
    preset_missing_without_table,
    probes_contradict,
    probes_without_keepalive,
    program,
    program_expectation,
    program_sequence,
    resume_after_reboot,
    route_on_switch,
    route_to_itself,
    route_via,
    send_every,
    settings,
    step_header_twice,
    step_unknown_keys,
    slow,
    still_down,
    survives_zero,
    survivors_descriptors,
    syntax,
    sysctl_shared,
    table_for_list_of_tables,
    tcp_memory,
    topology_sysctl,
    twice,
    undone_before_done,
    undone_twice,
    unknown_do,
    unknown_key,
    user_timeout,
    when,
    when_without_keepalive,
    window,
    wrong_end,
    wrong_type,
    yaml,
    yaml_braces,
    yaml_inline,
    yaml_list,
}

#[test]
fn every_fixture_is_tested() {
    let found: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let tested: BTreeSet<String> = TESTED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, tested);
}
