//! `harness run`: runs the cases of scenarios and reports the results.

mod drive;
mod files;
mod kernels;
mod named;
mod pcap;
mod session;
mod show;
mod variations;

use std::env;
use std::io::{self, IsTerminal, Write};
use std::num::{NonZeroU32, NonZeroUsize, ParseIntError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::limits;
use crate::privilege;
use crate::record::Record;
use crate::report::progress::Form;
use crate::scenario::Scenario;
use anyhow::anyhow;
use tokio::runtime::Runtime;

use super::filter::Filter;
use super::load::load;
use super::{EXIT_STATUS, Exit, complain, ignore_broken_pipe, width_of};
use files::is_stdout;
use named::Named;
use pcap::Folder;
use session::session;
use show::{exit, report};

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}\n\n{PRIVILEGES}"))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(super) struct RunArguments {
    /// Files and folders, or `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// Run at most N cases at once. The default is all cases, or in guests as many as the machine
    /// has processors
    #[arg(short, long, value_name = "N", value_parser = at_least_one::<NonZeroUsize>)]
    jobs: Option<NonZeroUsize>,
    /// Fail a case that takes longer than this wall-clock time: 90s, 5m. Without --timeout, a case
    /// in a guest is stopped after 300s and reported as an error, without a verdict
    #[arg(long, value_name = "DURATION", value_parser = time_limit)]
    timeout: Option<Duration>,
    /// Run in virtual time: each case runs in its own guest kernel, hours take milliseconds, and no
    /// privileges are needed
    #[arg(long)]
    warp: bool,
    /// The kernel of the guests: 7.2, 6.12 or 6.1 as built by `harness kernel build` with HZ=250,
    /// or a file. A distribution's kernel runs in QEMU. With --warp, the default is the file that
    /// HARNESS_KERNEL names, or else 7.2
    #[arg(long, value_name = "KERNEL", conflicts_with = "kernels")]
    kernel: Option<String>,
    /// Run on several kernels and compare the results; `native` is this machine's own kernel
    #[arg(long, value_name = "KERNEL,...", value_delimiter = ',')]
    kernels: Vec<String>,
    /// The modules of a distribution's kernel. The default for /boot/vmlinuz-VERSION is
    /// /lib/modules/VERSION
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
    /// Run each case at N phases of the kernel's clock, and report how the time of the error varies
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one::<NonZeroU32>)]
    phases: NonZeroU32,
    /// Run each case N times. In virtual time, a run fails if it differs from the first run by a
    /// nanosecond. In real time, each run has its own verdict
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one::<NonZeroU32>)]
    repeat: NonZeroU32,
    /// Also run the slow cases. In virtual time no case is slow
    #[arg(long)]
    slow: bool,
    /// Stop at the first case that does not pass
    #[arg(long)]
    fail_fast: bool,
    /// Fail the run if a case is skipped
    #[arg(long)]
    deny_skips: bool,
    /// Let the run succeed even if every case is skipped
    #[arg(long, conflicts_with = "deny_skips")]
    allow_skips: bool,
    /// Print only the cases that did not pass, and the closing line
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Print a timeline and the evidence of every case
    #[arg(short, long)]
    verbose: bool,
    /// Write the whole result to FILE as JSON (see `harness schema result`), for `harness trace`.
    /// If FILE is `-`, the JSON goes to standard output and all other output to standard error
    #[arg(long, value_name = "FILE")]
    report_json: Option<PathBuf>,
    /// Write the captured frames of each case to a pcapng file in DIR, for Wireshark. Packet
    /// comments explain probes, faults and errors
    #[arg(long, value_name = "DIR")]
    pcap: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  harness run scenarios/unreachable.toml
  harness run -v --filter in-flight scenarios/
  harness run -j 4 --timeout 5m scenarios/ my-own.toml
  harness run --slow scenarios/slow/
  harness run --warp scenarios/real-time/
  harness run --warp --phases 43 scenarios/real-time/defaults.toml
  harness run --kernels native,7.2,6.1 scenarios/
  harness run --repeat 100 scenarios/cable-pulled.toml
  harness run --pcap captures/ scenarios/crashed.toml
  harness run --warp --report-json result.json scenarios/
  harness run --filter 'nat/*,!ipv6' scenarios/
  harness show unreachable | sed s/3s/5s/ | harness run -";

/// One long line, because clap wraps it.
const PRIVILEGES: &str = "\
Without root, the harness creates its network namespaces in its own user namespace, if the system \
allows that. In virtual time (--warp), the harness needs neither root nor a user namespace.";

/// Parses a number that is at least 1.
fn at_least_one<T: FromStr<Err = ParseIntError>>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error: ParseIntError| match text.parse() {
            Ok(0_u64) => "it must be at least 1".to_owned(),
            Ok(_) | Err(_) => error.to_string(),
        })
}

fn time_limit(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => {
            Err("the limit must be greater than zero; omit --timeout for the default".to_owned())
        }
        Ok(time) => Ok(time),
        Err(_) if text.parse::<f64>().is_ok() => Err(format!(
            "the unit is missing: did you mean {text}s? Other units are ms, m and h"
        )),
        Err(error) => Err(format!("{error}; write 90s, 5m or 1h")),
    }
}

pub(super) fn run(arguments: &RunArguments) -> anyhow::Result<Exit> {
    let Some(mut scenarios) = load(&arguments.paths)? else {
        return Ok(Exit::Usage);
    };
    arguments.filter.narrow(&mut scenarios);
    if arguments.count(&scenarios) == 0 {
        arguments.filter.complain();
        return Ok(Exit::Usage);
    }
    let named = match named::named(arguments) {
        Ok(named) => named,
        Err(refused) => {
            complain(&refused.message);
            return Ok(refused.exit);
        }
    };
    if let Some(path) = arguments.overwrites(&scenarios) {
        complain(&format!(
            "--report-json {} would overwrite a scenario of this run: name another file",
            path.display()
        ));
        return Ok(Exit::Usage);
    }
    let captures = arguments.pcap.as_deref().map(Folder::make).transpose()?;
    let saved = arguments.report_json.as_deref();
    saved.map(files::can_be_written).transpose()?;
    set_up_privileges(&named)?;
    limits::raise_descriptor_limit();
    limits::room_for_a_run()?;
    let begun = Instant::now();
    let runtime = Runtime::new()
        .map_err(|error| anyhow!("cannot start a runtime: {error}{}", limits::advice(&error)))?;
    let runs = runtime.block_on(session(arguments, named, &scenarios));
    // The kernel tears down the namespaces of dropped labs; the process does not wait for that.
    runtime.shutdown_background();
    let runs = match runs? {
        Ok(runs) => runs,
        Err(exit) => return Ok(exit),
    };
    let record = Record::new(arguments.phases, arguments.repeat, runs);
    let reported = ignore_broken_pipe(report(arguments, &record, begun.elapsed()));
    let mut exit = exit(arguments, &record);
    if exit == Exit::NothingRan {
        complain("nothing ran: every case was skipped; with --allow-skips, such a run succeeds");
    }
    let written = [
        Some(reported),
        saved.map(|path| files::save(path, &record)),
        captures.map(|folder| folder.write(&scenarios, &record)),
    ];
    for error in written.into_iter().flatten().filter_map(Result::err) {
        complain(&format!("{error:#}"));
        exit = exit.max(Exit::Environment);
    }
    Ok(exit)
}

/// Isolates the process if a lab on this kernel needs network namespaces, or else drops all
/// privileges, because guests need none. Must be called while the process has one thread.
fn set_up_privileges(named: &[Named]) -> anyhow::Result<()> {
    if named.contains(&Named::Native) {
        Ok(privilege::isolate()?)
    } else {
        Ok(privilege::renounce()?)
    }
}

impl RunArguments {
    /// Returns the path of `--report-json` if it is the file of one of the scenarios.
    fn overwrites(&self, scenarios: &[Scenario]) -> Option<&Path> {
        let path = self
            .report_json
            .as_deref()
            .filter(|path| !is_stdout(path))?;
        let there = path.canonicalize().ok()?;
        let is_it = |scenario: &Scenario| {
            let canonical = scenario.path.canonicalize();
            canonical.is_ok_and(|canonical| canonical == there)
        };
        scenarios.iter().any(is_it).then_some(path)
    }

    /// Returns the number of case runs on each kernel.
    fn count(&self, scenarios: &[Scenario]) -> usize {
        let cases: usize = scenarios.iter().map(|scenario| scenario.cases.len()).sum();
        let of_each = self.phases.saturating_mul(self.repeat);
        cases.saturating_mul(of_each.get() as usize)
    }

    /// Returns whether the evidence of passed cases is needed: for output, or because in virtual
    /// time it is compared with that of the repetitions.
    fn wants_all_evidence(&self, is_virtual: bool) -> bool {
        let compared = is_virtual && self.repeat.get() > 1;
        self.verbose || self.report_json.is_some() || self.pcap.is_some() || compared
    }

    fn form(&self) -> Form {
        // A dumb terminal cannot return to the beginning of a line.
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        match (self.quiet, io::stderr().is_terminal() && !is_dumb) {
            (true, _) => Form::Silent,
            (false, true) => Form::Bars,
            (false, false) => Form::Lines,
        }
    }

    /// Returns whether the JSON result goes to standard output.
    fn writes_json_to_stdout(&self) -> bool {
        self.report_json.as_deref().is_some_and(is_stdout)
    }

    /// Returns the stream for text: standard error if the JSON result goes to standard output.
    fn out(&self) -> Box<dyn Write> {
        if self.writes_json_to_stdout() {
            Box::new(anstream::stderr())
        } else {
            Box::new(anstream::stdout())
        }
    }

    /// Returns the maximum length of a line on that stream, in columns.
    fn width(&self) -> usize {
        if self.writes_json_to_stdout() {
            width_of(io::stderr())
        } else {
            width_of(io::stdout())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: RunArguments,
    }

    #[test]
    fn the_evidence_of_a_pass_is_kept_where_something_is_made_of_it() {
        let wants = |switches: &str, is_virtual| {
            let line = format!("run file.toml {switches}");
            let parsed = Line::try_parse_from(line.split_whitespace()).unwrap();
            parsed.run.wants_all_evidence(is_virtual)
        };
        for switches in ["-v", "--report-json r.json", "--pcap folder"] {
            assert!(wants(switches, false), "{switches}");
        }
        // Only in virtual time must runs be identical to the nanosecond.
        assert!(wants("--repeat 2", true));
        assert!(!wants("--repeat 2", false));
        assert!(!wants("", true));
    }
}
