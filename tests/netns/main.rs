//! The tests on the real kernel: each drives the harness as a person does, in network namespaces
//! that it makes itself.
//!
//! They need root, or unprivileged user namespaces. Where there is neither, they fail with what the
//! harness says; none is skipped.
//!
//! * [`scenarios`], [`negative`]: what ships passes, and what is wrong is found
//! * [`firewall`]: where the kernel has one; [`dual`]: networks that carry both families
//! * [`cleanup`], [`killed`], [`panicked`], [`signals`]: nothing is left behind, counted in a
//!   [`cage`]
//! * [`isolation`], [`privileges`]: the host's network stays out of it, with root and without
//! * [`rights`]: under sudo, files are the caller's; guests have no rights at all
//! * [`sysctls`]: what a file may set stays in its lab
//! * [`flags`]: the command line of `harness run`
//! * [`evidence`]: what is recorded of a case
//! * [`records`]: the file of `--report-json`, and what reads it
//! * [`captures`], [`wireshark`]: the files of `--pcap`, and how tshark reads them
//!
//! A trial is judged by times, so it [waits](pace) beside others that wait, and has the machine to
//! itself where it does not.
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

/// Most trials only wait for the kernel's timers, so many run at once even on two cores.
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
