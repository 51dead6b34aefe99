//! The command line, as far as it needs no privileges: `check`, `list`, help and version.
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

/// Runs the harness in the source tree, where `scenarios/` is.
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

/// Every file in a folder and below it.
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
    error: the time of this error follows from no rule that the oracle has
      --> tests/netns/negative/no-window.toml:18:9
       |
    18 | error = "ECONNRESET"
       |         ^^^^^^^^^^^^ in no-window/ipv4
       |
       = help: it has none for the step in line 13, `reboot the client, 0s down`; state the window: `within = "4s..4.5s"`
    "#);
}

/// What is said of a file that is valid all the same.
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
    assert!(said.contains("no case is over in no time"), "{said}");
}

/// Whatever would be ignored is refused.
#[test]
fn run_refuses_what_does_not_fit_the_kernel() {
    // Any program counts as a kernel for user mode until it is started.
    let program = env!("CARGO_BIN_EXE_harness");
    for (arguments, expected) in [
        (&["--warp", "--kernel", "native"][..], "--warp cannot make"),
        (
            &["--warp", "--kernels", &format!("native,{program}")],
            "leave out `native` or --warp",
        ),
        (
            &["--kernels", "7.2,native,7.2"],
            "--kernels names 7.2 twice: name each kernel once",
        ),
        (
            &["--modules", "/lib/modules"],
            "--modules is for a distribution's kernel",
        ),
        (&["--modules", "/", "--kernel", program], "--modules is for"),
        (
            &["--modules", "/", "--kernels", program],
            "--modules is for",
        ),
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

/// Paths and summaries, without the space between.
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
      harness run scenarios/                     every scenario that ships, all cases at once
      harness run scenarios/unreachable.toml     one scenario
      harness run --filter ipv6 scenarios/       only the cases whose name contains ipv6
      harness check my.toml                      is it valid, and what would it do?

    Exit status:
      0    every case passed, or was skipped and another one passed (not with --deny-skips)
      1    an expectation failed
      2    usage, or an invalid scenario
      3    a case has no verdict, because it did not run on time; or a lab could not be
           built (privileges), a kernel is missing or does not boot, or output could
           not be written
      4    nothing ran: every case was skipped (not with --allow-skips)
      130  interrupted
    Where several apply, the highest.
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
    Without root, the harness makes its network namespaces in a user namespace of its own, where the
    system allows that. In virtual time (--warp) the harness needs neither root nor a user namespace.
    ");
}

#[test]
fn a_result_never_overwrites_a_scenario_of_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alive.toml");
    fs::copy("scenarios/alive.toml", &path).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let folder = folder.path().to_str().unwrap();
    // Another name of the same file.
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

/// What is said on a terminal of which the columns are known, and the rows not.
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
    // The last descriptor of the other side is closed with it: reading ends with EIO.
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

/// Before anything is run.
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

/// With this on standard input, in a folder that is empty.
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
    insta::assert_snapshot!(refused(&["show", "unreachabel"]), @"error: no scenario that ships is named unreachabel: did you mean unreachable? `harness list` shows them all");
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

/// Each says what to do.
#[test]
fn slips_on_the_command_line_are_explained() {
    let kernel = ["run", "--kernel", "6.6", "scenarios"];
    for (arguments, expected) in [
        (
            &["run", "--timeout", "2", "scenarios"][..],
            "it has no unit: did you mean 2s?",
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
            "there is no series 6.6, and no file of that name: 6.1, 6.12, 7.2, a path, or native",
        ),
        (&["schema"], "use `harness schema scenario` (for editors)"),
        (
            &["trace", "scenarios/alive.toml"],
            "a scenario is read by `harness check` and `harness run`",
        ),
        (
            &["trace", "tests/bad_input/errno.snap"],
            "`harness run --report-json FILE scenarios/` writes one",
        ),
        (&["run", "--filter", "a[", "scenarios"], "it is no glob"),
        (
            &["run", "--filter", "nowhere,!x", "scenarios"],
            "error: --filter nowhere,!x selects no case; `harness list --cases PATH` shows their names",
        ),
    ] {
        let said = refused(arguments);
        assert!(said.contains(expected), "{said}");
    }
}

/// Relocations would cost each guest time; what is distributed has none the less a variable address
/// (`build.rs`).
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
