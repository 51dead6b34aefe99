//! The tests with guest kernels. This program is also the init process of the guests.
//!
//! They need a user-mode kernel: that in `HARNESS_KERNEL`, or the one that `harness kernel build`
//! has built. Without one they fail. None is skipped.
//!
//! * [`jobs`]: the jobs of this program as a guest's init
//! * [`answers`]: a guest returns the bytes of its job
//! * [`failures`]: the errors of guests that fail, with their console output
//! * [`traces`]: no process and no file is left behind
//! * [`ends`]: signals and failures during `harness run`
//! * [`scenarios`]: scenarios in virtual time
//! * [`sameness`]: runs that are repeated give the same result
//! * [`clockwork`]: times of the guest's kernel
//! * [`dual`]: networks with both families
//! * [`evidence`]: evidence that a guest records and the machine's kernel may not
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that panics has failed, and says why on standard error"
)]

mod answers;
mod clockwork;
mod dual;
mod ends;
mod evidence;
mod failures;
mod guest;
mod jobs;
mod sameness;
mod scenarios;
mod traces;

use std::process::ExitCode;

use deadpeer::guest::enter_if_guest;
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    enter_if_guest(jobs::handle);
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, job] = words.as_slice()
        && mode == guest::MODE
    {
        return guest::inside(job);
    }
    if words == [traces::TWO_GUESTS] {
        traces::two_guests();
        return ExitCode::SUCCESS;
    }
    let trials = [
        answers::trials(),
        failures::trials(),
        traces::trials(),
        ends::trials(),
        scenarios::trials(),
        sameness::trials(),
        clockwork::trials(),
        dual::trials(),
        evidence::trials(),
    ];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
