//! What a guest costs: from the call to the answer, one after the other and side by side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program for people at the machine"
)]

use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use deadpeer::guest::{Machine, enter_if_guest, run};
use futures::stream::{self, StreamExt};
use tokio::runtime::Runtime;

const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    enter_if_guest(|job| job);
    let kernel = env::var_os("HARNESS_KERNEL").expect("HARNESS_KERNEL names the kernel");
    let machine = Machine::Uml {
        kernel: PathBuf::from(kernel),
    };
    let runtime = Runtime::new().unwrap();
    let once = || async {
        let start = Instant::now();
        run(&machine, b"job", LIMIT).await.unwrap();
        start.elapsed()
    };
    println!("first         {:?}", runtime.block_on(once()));
    let mut times: Vec<Duration> = (0..50).map(|_| runtime.block_on(once())).collect();
    times.sort();
    println!(
        "one by one    median {:?}, {:?} to {:?}",
        times[25], times[0], times[49]
    );
    for at_once in [2, 4] {
        let start = Instant::now();
        let all = runtime.block_on(
            stream::iter(0..84)
                .map(|_| once())
                .buffer_unordered(at_once)
                .collect::<Vec<_>>(),
        );
        println!("84, {at_once} at once {:?}", start.elapsed());
        drop(all);
    }
    let job = vec![1; 500_000];
    let start = Instant::now();
    runtime.block_on(run(&machine, &job, LIMIT)).unwrap();
    println!("500 kB        {:?}", start.elapsed());
}
