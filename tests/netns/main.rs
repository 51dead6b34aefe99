//! The tests on the machine's kernel. Each runs the harness as a user does, in network namespaces
//! that the harness creates.
//!
//! They need root or unprivileged user namespaces. Without both, they fail with the error of the
//! harness. None is skipped.
//!
//! * [`scenarios`], [`negative`]: the shipped scenarios pass, and wrong expectations fail
//! * [`firewall`]: connection tracking, if the kernel has it; [`dual`]: networks with both families
//! * [`cleanup`], [`killed`], [`panicked`], [`signals`]: a run leaves nothing behind, counted in a
//!   [`cage`]
//! * [`isolation`], [`privileges`]: a run does not change the host's network, with root and without
//! * [`rights`]: under sudo, files belong to the caller; guests have no rights
//! * [`sysctls`]: the sysctls that a file may set affect only its lab
//! * [`flags`]: the command line of `harness run`
//! * [`evidence`]: the timeline of a case
//! * [`records`]: the file of `--report-json`, and the commands that read it
//! * [`captures`], [`wireshark`]: the files of `--pcap`, and the output of tshark for them
//!
//! Trials depend on times, so those that mostly [wait](pace) run in parallel, and the others run
//! alone on the machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that panics has failed, and says why on standard error"
)]

mod cage;
mod captures;
mod cleanup;
mod dual;
mod evidence;
mod firewall;
mod flags;
mod harness;
mod isolation;
mod killed;
mod negative;
mod pace;
mod panicked;
mod privileges;
mod records;
mod rights;
mod room;
mod scenarios;
mod signals;
mod sysctls;
mod wireshark;

use std::process::ExitCode;

use libtest_mimic::Arguments;

/// Most trials only wait for timers of the kernel, so many run in parallel even on two processors.
const THREADS: usize = 8;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if rights::is_kernel(&words) {
        return rights::tell();
    }
    if let [mode, name] = words.as_slice() {
        match mode.as_str() {
            cage::MODE => return cage::inside(name),
            panicked::MODE => return panicked::inside(name),
            _ => {}
        }
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let trials = [
        negative::trials(),
        scenarios::trials(),
        firewall::trials(),
        dual::trials(),
        flags::trials(),
        evidence::trials(),
        captures::trials(),
        records::trials(),
        privileges::trials(),
        rights::trials(),
        sysctls::trials(),
        isolation::trials(),
        signals::trials(),
        panicked::trials(),
        cleanup::trials(),
        killed::trials(),
        scenarios::trials_alone(),
        wireshark::trials(),
    ];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}
