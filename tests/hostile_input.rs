//! Hostile input, or input that a faulty program has written: files that are not regular, files
//! that are too large, and files with so many errors or steps that any algorithm worse than linear
//! shows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use deadpeer::oracle::Ticks;
use deadpeer::prepare;
use deadpeer::scenario;
use deadpeer::scenario::FileDiagnostics;
use nix::sys::stat::Mode;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::mkfifo;

const HEAD: &str = "\
summary = \"much\"
topology = { preset = \"routed\", family = \"ipv4\" }
connection.client.keepalive = { idle = \"1s\", interval = \"1s\", probes = 3 }
expect.client.survives = \"6s\"
";

/// The limit on processor time. An unoptimized build takes about a second; a quadratic algorithm
/// would take minutes.
const LIMIT: Duration = Duration::from_secs(10);

/// The processor time of this thread, which does not depend on other programs.
fn used() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

/// Processes a file as `check` does, and returns the errors.
fn messages(text: &str) -> Vec<String> {
    let begun = used();
    let path = Path::new("much.toml");
    let messages = match scenario::parse(path, text) {
        Ok(scenario) => {
            let scenarios = vec![scenario];
            let cases = prepare::prepare(scenarios.clone(), Ticks::Unknown).unwrap();
            drop(prepare::warnings(&cases, &scenarios));
            Vec::new()
        }
        Err(diagnostics) => {
            let wrong = FileDiagnostics {
                path: path.to_owned(),
                text: text.to_owned(),
                diagnostics,
            };
            drop(wrong.render(false));
            let messages = wrong.diagnostics.into_iter();
            messages.map(|diagnostic| diagnostic.message).collect()
        }
    };
    let took = used() - begun;
    assert!(took < LIMIT, "{took:?}");
    messages
}

fn repeated(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        writeln!(text, "{}", line(number)).unwrap();
        text
    })
}

#[test]
fn each_of_20000_unknown_keys_is_an_error() {
    let unknown = repeated(20_000, |number| format!("sumary{number} = 1"));
    assert_eq!(messages(&format!("{unknown}{HEAD}")).len(), 20_000);
}

#[test]
fn each_of_20000_duplicate_keys_is_an_error() {
    let twice = repeated(20_001, |_| "source = \"here\"".to_owned());
    assert_eq!(messages(&format!("{twice}{HEAD}")).len(), 20_000);
}

#[test]
fn each_of_20000_errors_in_one_line_is_an_error() {
    let key = ".$".repeat(20_000);
    assert!(messages(&format!("a{key} = 1\n{HEAD}")).len() >= 20_000);
}

#[test]
fn as_many_steps_as_a_file_can_have_are_checked_and_one_more_is_refused() {
    let steps = |count| {
        let ways = ["pull", "plug"];
        let step = |number| {
            let action = ways[number % 2];
            format!("[[step]]\ndo = \"cable\"\nat = \"server\"\naction = \"{action}\"")
        };
        messages(&format!("{HEAD}{}", repeated(count, step)))
    };
    assert!(steps(10_000).is_empty());
    assert_eq!(steps(10_001), ["`step` has 10001 steps"]);
}

#[test]
fn as_many_wrong_steps_are_an_error_each() {
    let step = |number| format!("[[step]]\ndo = \"filter\"\non = \"r{number}\"\naction = \"drop\"");
    let filters = repeated(5_000, step);
    let exchanges = repeated(5_000, |_| "[[step]]\ndo = \"exchange\"".to_owned());
    assert_eq!(
        messages(&format!("{HEAD}{filters}{exchanges}")).len(),
        5_000
    );
}

#[test]
fn repeated_steps_count_as_often_as_they_are_taken() {
    let sends = repeated(20, |_| {
        "[[step]]\ndo = \"send\"\nevery = \"1s\"\ncount = 1000".to_owned()
    });
    assert_eq!(
        messages(&format!("{HEAD}{sends}")),
        ["`step` has 11000 steps"]
    );
}

#[test]
fn the_steps_of_a_file_count_in_each_case() {
    let steps = repeated(100, |_| "[[step]]\ndo = \"send\"".to_owned());
    let cases = repeated(101, |number| format!("[[case]]\nname = \"{number}\""));
    assert_eq!(
        messages(&format!("{HEAD}{steps}{cases}")),
        ["the cases of this file have 10100 steps in all"]
    );
}

#[test]
fn what_all_cases_share_is_wrong_once() {
    let unknown = repeated(20_000, |number| format!("presett{number} = 1"));
    let links = repeated(20_000, |number| format!("mtuu{number} = 1,"));
    let topology = format!(
        "[topology]\nfamily = \"ipv4\"\nlinks = [{{ between = [\"client\", \"server\"], {links} }}]\n{unknown}"
    );
    let times = repeated(1000, |number| format!("\"{}s\",", number + 1));
    let expect = format!("[expect.client]\nsurvives = \"6s\"\nprobes.at = [{times}]");
    let cases = repeated(500, |number| {
        format!(
            "[[case]]\nname = \"{number}\"\ntopology.family = \"ipv6\"\nexpect.server.survives = \"1s\""
        )
    });
    let keepalive = "connection.client.keepalive.time = \"3s\"";
    let text = format!("summary = \"much\"\n{keepalive}\n{topology}\n{expect}\n{cases}");
    assert_eq!(messages(&text).len(), 40_000);
}

#[test]
fn payloads_count_in_each_case() {
    let payload = "x".repeat(65_536);
    let step = format!("[[step]]\ndo = \"exchange\"\npayload = \"{payload}\"\n");
    let cases = repeated(129, |number| format!("[[case]]\nname = \"{number}\""));
    assert_eq!(
        messages(&format!("{HEAD}{step}{cases}")),
        ["the cases of this file have payloads of 8454144 bytes in all"]
    );
}

#[test]
fn cases_and_lists_have_a_limit() {
    let cases = repeated(501, |number| format!("[[case]]\nname = \"{number}\""));
    assert_eq!(
        messages(&format!("{HEAD}{cases}")),
        ["`case` has 501 cases"]
    );
    let times = repeated(1001, |number| format!("\"{}s\",", number + 1));
    let probes = format!("{HEAD}expect.client.probes.at = [{times}]");
    assert_eq!(
        messages(&probes),
        ["`expect.client.probes.at` has 1001 elements"]
    );
    let sysctl = repeated(129, |number| {
        format!("connection.client.sysctl.\"net.ipv4.a{number}\" = 1")
    });
    assert_eq!(
        messages(&format!("{HEAD}{sysctl}")),
        ["`connection.client.sysctl` has 129 entries"]
    );
}

#[test]
fn a_name_that_no_file_system_takes_is_refused() {
    let name = "x".repeat(65);
    let long = messages(&format!("{HEAD}[[case]]\nname = \"{name}\"\n"));
    assert_eq!(long, ["this name of a case has 65 characters"]);
    let path = format!("{}.toml", "x".repeat(129));
    let errors = scenario::parse(Path::new(&path), HEAD).unwrap_err();
    assert_eq!(
        errors[0].message,
        "the name of the file has 129 bytes before `.toml`"
    );
}

#[test]
fn long_words_and_deep_tables_are_refused() {
    let word = "e".repeat(1 << 18);
    for text in [
        format!("{word} = 1"),
        format!("expect.client.error = \"{word}\""),
        format!("a{} = 1", ".a".repeat(1 << 17)),
        format!("[a{}]", ".a".repeat(1 << 17)),
        format!("a = {}", "[".repeat(1 << 18)),
        format!("a = {}", "{a=".repeat(1 << 16)),
    ] {
        assert!(!messages(&text).is_empty());
    }
}

/// Runs the harness with a time limit of 30 s: opening a FIFO would block without end.
fn harness(arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["30", env!("CARGO_BIN_EXE_harness")]);
    command.args(arguments).output().unwrap()
}

fn refused(arguments: &[&str], why: &str) {
    let output = harness(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(said.contains(why), "{arguments:?}: {said}");
}

#[test]
fn what_is_no_regular_file_is_no_input() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo.toml");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let [fifo, folder] = [&fifo, folder.path()].map(|path| path.to_str().unwrap());
    for (path, kind) in [
        (fifo, "a FIFO"),
        (folder, "a FIFO"),
        ("/dev/zero", "a device"),
    ] {
        let why = format!("is not a scenario file: it is {kind}, not a regular file");
        for command in ["check", "list", "run"] {
            refused(&[command, path], &why);
        }
    }
    refused(&["trace", fifo], "it is a FIFO, not a regular file");
    refused(
        &["trace", "/dev/zero"],
        "it is a device, not a regular file",
    );
}

#[test]
fn what_is_too_large_is_no_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.toml");
    fs::write(&path, format!("{HEAD}#{}", "x".repeat(1 << 20))).unwrap();
    let large = path.to_str().unwrap();
    refused(
        &["check", large],
        "is not a scenario file: it is larger than 1 MiB",
    );
    // The file is sparse.
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    refused(&["trace", large], "it is larger than 1024 MiB");
}
