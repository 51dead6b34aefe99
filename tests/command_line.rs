//! The parts of the command line that need no privileges: `check`, `list`, help and version.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::pty::{Winsize, openpty};

/// Runs the harness at the root of the source tree, which contains `scenarios/`.
fn harness(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("CLICOLOR_FORCE");
    command
}

/// The standard output of a command, which must succeed.
fn printed(arguments: &[&str]) -> String {
    let output = harness(arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}{err}", output.status);
    assert_eq!(err, "");
    out
}

/// The standard error of a command, which must fail with status 2 and print nothing on standard
/// output.
fn refused(arguments: &[&str]) -> String {
    let output = harness(arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    text(&output.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// All files below a directory.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// The shipped files with their summaries.
fn shipped() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = below(Path::new("scenarios"))
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
fn check_judges_only_the_cases_that_are_selected() {
    let path = "scenarios/alive.toml";
    let paths = [path, "tests/netns/negative/no-window.toml"];
    let selected = [&["check", "--filter", "alive/*"], &paths[..]].concat();
    assert_eq!(printed(&selected), printed(&["check", path]));
    let said = refused(&["check", "--filter", "no-window/ipv4", paths[1]]);
    assert!(said.contains("^ in no-window/ipv4\n"), "{said}");
}

#[test]
fn check_asks_for_a_window_that_follows_from_no_rule() {
    let said = refused(&["check", "tests/netns/negative/no-window.toml"]);
    insta::assert_snapshot!(said, @r#"
    error: the oracle has no rule for the time of this error
      --> tests/netns/negative/no-window.toml:18:9
       |
    18 | error = "ECONNRESET"
       |         ^^^^^^^^^^^^ in no-window/ipv4
       |
       = help: it has no rule for the step in line 13, `reboot the client, 0s down`; state the window: `within = "4s..4.5s"`
    "#);
}

/// The warnings for a valid file.
fn warned(arguments: &[&str]) -> String {
    let output = harness(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_ne!(text(&output.stdout), "");
    text(&output.stderr)
}

#[test]
fn check_warns_where_the_oracle_contradicts_the_file() {
    let said = warned(&["check", "tests/netns/negative/window-too-short.toml"]);
    // The predicted window depends on this kernel's tick.
    let place = "tests/netns/negative/window-too-short.toml:19:10";
    for words in [
        "warning: the oracle predicts the error ",
        "outside of this window",
        place,
    ] {
        assert!(said.contains(words), "{words:?} is missing in {said}");
    }
}

#[test]
fn run_refuses_a_limit_of_no_time() {
    let said = refused(&["run", "--timeout", "0s", "scenarios"]);
    assert!(
        said.contains("the limit must be greater than zero"),
        "{said}"
    );
}

/// An option that would have no effect is an error.
#[test]
fn run_refuses_what_does_not_fit_the_kernel() {
    // Any program is accepted as a user-mode kernel until it is started.
    let program = env!("CARGO_BIN_EXE_harness");
    for (arguments, expected) in [
        (
            &["--warp", "--kernel", "native"][..],
            "--warp cannot run this machine's own kernel",
        ),
        (
            &["--warp", "--kernels", &format!("native,{program}")],
            "omit `native` or --warp",
        ),
        (
            &["--kernels", "7.2,native,7.2"],
            "--kernels names 7.2 twice: name each kernel once",
        ),
        (
            &["--modules", "/lib/modules"],
            "--modules needs a distribution's kernel",
        ),
        (&["--modules", "/", "--kernel", program], "--modules needs"),
        (&["--modules", "/", "--kernels", program], "--modules needs"),
        (&["--phases", "2"], "--phases needs virtual time"),
    ] {
        let said = refused(&[&["run", "scenarios"], arguments].concat());
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error_of_the_machine() {
    let full = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    for arguments in [&["list"][..], &["check", "scenarios"]] {
        let output = command(arguments).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert_eq!(
            text(&output.stderr),
            "error: cannot write to standard output: No space left on device (os error 28)\n"
        );
    }
}

#[test]
fn output_that_nobody_reads_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(&["check", "scenarios"])
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output.stderr), "");
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

/// The paths and summaries of a listing.
fn columns(listed: &str) -> Vec<(String, String)> {
    let split = |line: &str| {
        let (path, summary) = line.split_once("  ")?;
        Some((path.to_owned(), summary.trim_start().to_owned()))
    };
    listed.lines().map(|line| split(line).unwrap()).collect()
}

#[test]
fn list_shows_each_shipped_scenario_with_its_summary() {
    assert_eq!(columns(&printed(&["list"])), shipped());
    assert_eq!(columns(&printed(&["list", "scenarios"])), shipped());
}

#[test]
fn list_needs_no_source_tree() {
    let elsewhere = tempfile::tempdir().unwrap();
    let output = command(&["list"]).current_dir(&elsewhere).output().unwrap();
    assert_eq!(columns(&text(&output.stdout)), shipped());
}

#[test]
fn list_goes_on_past_a_file_that_is_wrong() {
    let output = harness(&[
        "list",
        "scenarios/alive.toml",
        "tests/bad_input/errno.toml",
        "no-such-folder",
        "scenarios/crashed.toml",
    ]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let listed = columns(&text(&output.stdout));
    let paths: Vec<&str> = listed.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["scenarios/alive.toml", "scenarios/crashed.toml"]);
    let said = text(&output.stderr);
    for place in [
        "no-such-folder does not exist",
        "errno.toml:15:9",
        "errno.toml:16:12",
    ] {
        assert!(said.contains(place), "{said}");
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
      harness run scenarios/                     every shipped scenario, all cases in parallel
      harness run scenarios/unreachable.toml     one scenario
      harness run --filter ipv6 scenarios/       only the cases whose name contains ipv6
      harness check my.toml                      validate a file and print the plan of its cases

    Exit status:
      0    every case passed or was skipped, and at least one passed (with --deny-skips,
           a skipped case is a failure)
      1    an expectation failed
      2    usage error, or invalid scenario
      3    a case has no verdict, because it did not run on time; or a lab could not be
           built (privileges), a kernel is missing or does not boot, or output could
           not be written
      4    nothing ran: every case was skipped (not with --allow-skips)
      130  interrupted
    If several apply, the exit status is the highest.
    ");
}

#[test]
fn the_help_of_run_has_examples() {
    let help = printed(&["run", "--help"]);
    assert!(help.contains("Examples:\n  harness run "), "{help}");
    let statuses = |help: &str| {
        let (_, after) = help.split_once("Exit status:").unwrap();
        let (statuses, end) = after.split_once("the highest.").unwrap();
        (statuses.to_owned(), end.trim().to_owned())
    };
    let (of_run, end) = statuses(&help);
    assert_eq!(of_run, statuses(&printed(&["--help"])).0);
    assert!(of_run.contains("3    a case has no verdict"), "{of_run}");
    insta::assert_snapshot!(end, @r"
    Without root, the harness creates its network namespaces in its own user namespace, if the system
    allows that. In virtual time (--warp), the harness needs neither root nor a user namespace.
    ");
}

#[test]
fn a_result_never_overwrites_a_scenario_of_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alive.toml");
    fs::copy("scenarios/alive.toml", &path).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let folder = folder.path().to_str().unwrap();
    // A different path of the same file.
    let result = format!("{folder}/./alive.toml");
    let said = refused(&["run", "--report-json", &result, folder]);
    assert_eq!(
        said,
        format!(
            "error: --report-json {result} would overwrite a scenario of this run: name another file\n"
        )
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn a_path_that_does_not_exist_may_mean_a_scenario_that_ships() {
    for (arguments, meant) in [
        (["run", "unreachable"], "scenarios/unreachable.toml"),
        (["run", "slow/grpc"], "scenarios/slow/grpc.toml"),
        (["check", "grpc"], "scenarios/slow/grpc.toml"),
        (["list", "nat"], "scenarios/nat/"),
    ] {
        let path = arguments[1];
        let expected = format!("error: {path} does not exist: did you mean `{meant}`?\n");
        assert_eq!(refused(&arguments), expected);
    }
}

/// The standard error of the harness on a terminal with this number of columns and an unknown
/// number of rows.
fn said_on_a_terminal(columns: u16, arguments: &[&str]) -> String {
    let size = Winsize {
        ws_row: 0,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = openpty(Some(&size), None).unwrap();
    let mut command = command(&[&["--color", "never"], arguments].concat());
    command
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(terminal.slave);
    command.status().unwrap();
    // This closes the last descriptor of the terminal's other side, so that reading ends with EIO.
    drop(command);
    let mut said = Vec::new();
    File::from(terminal.master)
        .read_to_end(&mut said)
        .unwrap_err();
    text(&said).replace("\r\n", "\n")
}

#[test]
fn errors_and_notes_fit_the_terminal() {
    for arguments in [
        &["check", "scenarios/alive.toml"][..],
        &["check", "scenarios/unreachabel.toml"],
        &["list", "--filter", "nowhere"],
    ] {
        let narrow = said_on_a_terminal(40, arguments);
        let longest = narrow.lines().map(str::len).max().unwrap();
        assert!((20..=40).contains(&longest), "{narrow}");
        let wide = said_on_a_terminal(0, arguments);
        assert_eq!(wide.lines().count(), 1, "{wide}");
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&narrow), words(&wide));
    }
}

/// The error is reported before a case runs.
#[test]
fn captures_need_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for (captures, why) in [
        (&file, "File exists"),
        (&file.join("below"), "Not a directory"),
    ] {
        let captures = captures.to_str().unwrap();
        let output = harness(&["run", "--pcap", captures, "scenarios/crashed.toml"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert_eq!(text(&output.stdout), "");
        let said = text(&output.stderr);
        let expected = format!("error: cannot make the folder {captures}: {why}");
        assert!(said.starts_with(&expected), "{said}");
    }
}

/// Runs the harness in an empty directory, with this standard input.
fn elsewhere(arguments: &[&str], input: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(arguments)
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn what_ships_is_there_outside_of_the_source_tree() {
    for (path, count) in [("scenarios/unreachable.toml", 4), ("scenarios/slow/", 11)] {
        let output = elsewhere(&["check", path], "");
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{err}");
        assert!(out.ends_with(&format!("\n{count} cases valid\n")), "{out}");
        let expected = format!(
            "note: {path} does not exist here: using the copy that is built into this program\n"
        );
        assert_eq!(err, expected);
    }
    let output = elsewhere(&["check", "scenarios/no-such-file.toml"], "");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn show_prints_a_scenario_that_ships() {
    let file = fs::read_to_string("scenarios/slow/grpc.toml").unwrap();
    for name in ["grpc", "slow/grpc", "scenarios/slow/grpc.toml"] {
        assert_eq!(printed(&["show", name]), file);
    }
    let said = refused(&["show", "nat"]);
    assert!(
        said.starts_with("error: nat is a folder: name one of nat/flushed, nat/late-reset, "),
        "{said}"
    );
    insta::assert_snapshot!(refused(&["show", "unreachabel"]), @"error: no shipped scenario is named unreachabel: did you mean unreachable? `harness list` prints all names");
}

#[test]
fn a_dash_is_standard_input() {
    let file = fs::read_to_string("scenarios/alive.toml").unwrap();
    let output = elsewhere(
        &["list", "--cases", "-", "--filter", "kernel-defaults/*"],
        &file,
    );
    assert_eq!(text(&output.stdout), "");
    assert!(
        text(&output.stderr).contains("selects no case"),
        "{output:?}"
    );
    let output = elsewhere(
        &["list", "--cases", "-", "--filter", "*/kernel-defaults/*"],
        &file,
    );
    let out = text(&output.stdout);
    assert!(
        out.starts_with("stdin/kernel-defaults/ipv4  stdin:"),
        "{out}"
    );
    let output = elsewhere(&["check", "-"], "summary = 1");
    assert!(
        text(&output.stderr).contains("--> stdin:1:11"),
        "{output:?}"
    );
}

#[test]
fn list_shows_cases_and_filters_them() {
    let listed = printed(&["list", "--cases"]);
    let slow = listed
        .lines()
        .filter(|line| line.ends_with(", slow"))
        .count();
    let late = listed
        .lines()
        .filter(|line| line.ends_with(", in virtual time only"))
        .count();
    assert!(
        slow > 0 && late > 0 && slow + late < listed.lines().count(),
        "{listed}"
    );
    let arguments = [
        "list",
        "--cases",
        "--filter",
        "unreachable/*,!ipv6",
        "scenarios",
    ];
    let listed = columns(&printed(&arguments));
    let names: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["unreachable/idle/ipv4", "unreachable/in-flight/ipv4"]
    );
    let filtered = columns(&printed(&["list", "--filter", "grpc/*"]));
    assert_eq!(filtered.len(), 1);
    let in_folder = columns(&printed(&["list", "--filter", "nat/*,!ipv6", "scenarios"]));
    assert_eq!(in_folder, columns(&printed(&["list", "scenarios/nat"])));
}

#[test]
fn nothing_in_a_file_controls_the_terminal() {
    let file = fs::read_to_string("scenarios/unreachable.toml").unwrap();
    let hostile = r#"summary = "a\u001b[2J\u009b2J\u202e\r""#;
    let lines = file.lines().map(|line| match line.starts_with("summary") {
        true => hostile,
        false => line,
    });
    let lines: Vec<&str> = lines.collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("\u{1b}[2J\u{202e}.toml");
    let plain = |output: &Output| {
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!said.contains(deadpeer::text::controls), "{said:?}");
        assert!(said.contains(r"\u{1b}[2J"), "{said}");
    };
    let path = path.to_str().unwrap();
    let command = |arguments: &[&str]| command(&[arguments, &[path]].concat()).output().unwrap();
    for wrong in ["no-such-file", "run"] {
        plain(&command(&["list", wrong]));
    }
    fs::write(path, lines.join("\n")).unwrap();
    plain(&command(&["list"]));
    plain(&command(&["list", "--cases"]));
    plain(&command(&["check"]));
    fs::write(path, hostile).unwrap();
    plain(&command(&["check"]));
}

/// Each error names the remedy.
#[test]
fn slips_on_the_command_line_are_explained() {
    let kernel = ["run", "--kernel", "6.6", "scenarios"];
    for (arguments, expected) in [
        (
            &["run", "--timeout", "2", "scenarios"][..],
            "the unit is missing: did you mean 2s?",
        ),
        (&["run", "--repeat", "0", "scenarios"], "at least 1"),
        (&["run", "--phases", "0", "scenarios"], "at least 1"),
        (&["run", "-j", "0", "scenarios"], "at least 1"),
        (
            &["run", "--timeout", "2 parsecs", "scenarios"],
            "write 90s, 5m or 1h",
        ),
        (
            &kernel,
            "no kernel series or file is named 6.6: use 6.1, 6.12, 7.2, a path, or native",
        ),
        (&["schema"], "use `harness schema scenario` (for editors)"),
        (
            &["trace", "scenarios/alive.toml"],
            "use `harness check` or `harness run` for a scenario file",
        ),
        (
            &["trace", "tests/bad_input/errno.snap"],
            "create one with `harness run --report-json FILE scenarios/`",
        ),
        (
            &["run", "--filter", "a[", "scenarios"],
            "not a valid glob pattern",
        ),
        (
            &["run", "--filter", "nowhere,!x", "scenarios"],
            "error: --filter nowhere,!x selects no case; `harness list --cases PATH` prints the case names",
        ),
    ] {
        let said = refused(arguments);
        assert!(said.contains(expected), "{said}");
    }
}

/// A fixed address avoids relocations, which would cost time in each guest. The profile for
/// distribution nevertheless has a variable address (`build.rs`).
#[cfg(target_env = "gnu")]
#[test]
fn the_program_has_a_fixed_address_in_the_profile_release() {
    const ET_EXEC: u16 = 2;
    const ET_DYN: u16 = 3;
    let path = Path::new(env!("CARGO_BIN_EXE_harness"));
    let is_release = path.parent().unwrap().ends_with("release");
    let expected = if is_release { ET_EXEC } else { ET_DYN };
    assert_eq!(fs::read(path).unwrap()[16..18], expected.to_le_bytes());
}
