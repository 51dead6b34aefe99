//! The command line, as far as it needs no privileges: `check`, `list`, help and version.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs the harness in the source tree, where `scenarios/` is.
fn harness(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("CLICOLOR_FORCE")
        .output()
        .unwrap()
}

/// What a command that must succeed prints.
fn printed(arguments: &[&str]) -> String {
    let output = harness(arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}{err}", output.status);
    assert_eq!(err, "");
    out
}

/// What is said of a mistake, which is always said on standard error alone.
fn refused(arguments: &[&str]) -> String {
    let output = harness(arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    text(&output.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn files_in(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).collect()
}

/// The shipped files with their summaries.
fn shipped() -> Vec<(String, String)> {
    let mut paths = files_in("scenarios");
    paths.extend(files_in("scenarios/real-time"));
    let mut files: Vec<(String, String)> = paths
        .into_iter()
        .map(|path| {
            let file = fs::read_to_string(&path).unwrap();
            let summary = file.lines().find_map(|line| {
                line.strip_prefix("summary = \"")?
                    .strip_suffix('"')
                    .map(str::to_owned)
            });
            (path.display().to_string(), summary.unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn check_prints_the_plan_of_every_shipped_case() {
    let plan = printed(&["check", "scenarios/"]);
    for (path, _) in shipped() {
        assert!(plan.contains(&format!("({path}:")), "{path} in\n{plan}");
    }
    for heading in [
        "topology",
        "connection",
        "step 1",
        "expect",
        "window",
        "rule",
    ] {
        assert!(plan.contains(&format!("\n  {heading} ")), "{heading}");
    }
    assert!(plan.trim_end().ends_with(" cases valid"), "{plan}");
}

#[test]
fn check_explains_a_mistake_with_line_and_column() {
    let said = refused(&["check", "tests/bad_input/errno.toml"]);
    insta::assert_snapshot!(said, @r#"
    error: `ETIMEOUT` is not an errno of Linux
      --> tests/bad_input/errno.toml:15:9
       |
    15 | error = "ETIMEOUT"
       |         ^^^^^^^^^^
       |
       = help: did you mean `ETIMEDOUT`?

    error: `no route` is not an errno of Linux
      --> tests/bad_input/errno.toml:16:12
       |
    16 | textbook = "no route"
       |            ^^^^^^^^^^
       |
       = help: write the name that the C library has for it, such as `ETIMEDOUT`
    "#);
}

#[test]
fn check_names_a_path_that_does_not_exist() {
    let said = refused(&["check", "scenarios/no-such-file.toml"]);
    insta::assert_snapshot!(said, @"error: scenarios/no-such-file.toml does not exist");
}

#[test]
fn check_asks_for_a_window_that_follows_from_no_rule() {
    let said = refused(&["check", "tests/netns/negative/no-window.toml"]);
    insta::assert_snapshot!(said, @r#"
    error: tests/netns/negative/no-window.toml:17: in no-window/ipv4, the time of the client's error follows from no rule that the oracle has
      help: state the window in the file: within = "4s..4.5s"
    "#);
}

#[test]
fn run_refuses_an_invalid_file_before_it_needs_privileges() {
    let said = refused(&["run", "tests/bad_input/errno.toml", "scenarios"]);
    assert!(said.contains("tests/bad_input/errno.toml:15:9"), "{said}");
}

#[test]
fn run_without_a_path_is_a_usage_error() {
    let said = refused(&["run"]);
    assert!(said.contains("<PATH>"), "{said}");
}

#[test]
fn list_shows_each_shipped_scenario_with_its_summary() {
    let listed = printed(&["list"]);
    let expected = shipped();
    assert_eq!(listed.lines().count(), expected.len());
    for (line, (path, summary)) in listed.lines().zip(&expected) {
        let columns = line
            .split_once("  ")
            .map(|(path, rest)| (path, rest.trim_start()));
        assert_eq!(columns, Some((path.as_str(), summary.as_str())));
    }
}

#[test]
fn version_is_that_of_the_package() {
    let expected = concat!("harness ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(printed(&["--version"]), expected);
}

#[test]
fn help_has_examples_and_the_exit_statuses() {
    let help = printed(&["--help"]);
    let after = help.find("Examples:").unwrap();
    insta::assert_snapshot!(&help[after..], @r"
    Examples:
      harness run scenarios/                     every scenario that ships, all cases at once
      harness run scenarios/unreachable.toml     one scenario
      harness run --filter ipv6 scenarios/       only the cases whose name contains ipv6
      harness check my.toml                      is it valid, and what would it do?

    Exit status:
      0    every case passed (or was skipped, without --deny-skips)
      1    an expectation failed
      2    usage, or an invalid scenario
      3    a lab could not be built: privileges, kernel
      130  interrupted
    Where several apply, the highest.
    ");
}

#[test]
fn the_help_of_run_has_examples() {
    let help = printed(&["run", "--help"]);
    assert!(help.contains("Examples:\n  harness run "), "{help}");
}
