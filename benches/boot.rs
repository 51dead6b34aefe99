//! Measures the wall-clock time of a case in a guest of its own, from the start of the boot to the
//! observation. Fails if a median exceeds the bound.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program for people at the machine"
)]

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpeer::guest::{GuestMachine, enter_if_guest};
use deadpeer::model::Hz;
use deadpeer::outcome::Attempt;
use deadpeer::prepare::prepare;
use deadpeer::privilege;
use deadpeer::scenario;
use deadpeer::{job, runner};
use kernel_builder::{KernelSpec, find};
use tokio::runtime::Runtime;

const LIMIT: Duration = Duration::from_secs(60);

/// The number of measurements of each case.
const ROUNDS: usize = 25;

/// The bound of the median of a case.
const BOUND: Duration = Duration::from_millis(150);

fn main() {
    enter_if_guest(runner::handle);
    let kernel = match env::var_os("HARNESS_KERNEL") {
        Some(kernel) => PathBuf::from(kernel),
        None => find(KernelSpec::default(), privilege::home())
            .expect("a kernel: `harness kernel build`"),
    };
    let machine = GuestMachine::Uml { kernel };
    let runtime = Runtime::new().unwrap();
    let median = |once: &dyn Fn()| {
        let mut times: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let begun = Instant::now();
                once();
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[ROUNDS / 2]
    };
    let boot = median(&|| drop(runtime.block_on(job::describe(&machine, LIMIT)).unwrap()));
    println!("boot and answer                         {boot:?}");
    let mut beyond = Vec::new();
    for file in ["crashed.toml", "half-open.toml", "real-time/defaults.toml"] {
        let path = Path::new("scenarios").join(file);
        let scenarios = scenario::load(&[path]).unwrap();
        let cases = prepare(scenarios, Hz::new(250).unwrap()).unwrap();
        let case = Arc::new(cases[0].clone());
        let time = median(&|| {
            let variants = std::slice::from_ref(&case);
            let ran = job::run(&machine, variants, Duration::ZERO, LIMIT);
            let ran = runtime.block_on(ran).unwrap();
            assert!(matches!(ran[0].attempt, Attempt::Observed(_)), "{ran:?}");
        });
        println!("{:39} {time:?}", case.case.id.to_string());
        // The bound does not apply to a case with fifty connections.
        if time > BOUND && case.case.connection.count == 1 {
            beyond.push(case.case.id.to_string());
        }
    }
    assert!(beyond.is_empty(), "beyond {BOUND:?}: {beyond:?}");
}
