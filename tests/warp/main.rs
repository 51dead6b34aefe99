//! The tests on guest kernels: this program boots itself in them.
//!
//! They need a kernel built for user mode: that of `HARNESS_KERNEL`, or the one that `harness
//! kernel build` has built. Where it is missing, they fail; none is skipped.
//!
//! * [`jobs`]: what this program does as a guest's init
//! * [`answers`]: bytes in, bytes out
//! * [`failures`]: a guest that fails, with what its console said
//! * [`traces`]: nothing is left behind, by any end
//! * [`ends`]: every way in which `harness run` may end
//! * [`scenarios`]: cases in virtual time, by the harness itself
//! * [`sameness`]: what is done twice
//! * [`clockwork`]: what the guest's kernel says of time
//! * [`dual`]: networks that carry both families
//! * [`evidence`]: what a guest tells of a case, and this kernel does not
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
