//! The jobs that this program runs as a guest's init. The first word of a job selects the function.

use std::fs;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

/// The handler of all guests of these tests.
pub(crate) fn handle(job: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&job).into_owned();
    match text.split_once(' ').unwrap_or((&text, "")) {
        ("panic", message) => panic!("{message}"),
        ("exit", _) => process::exit(3),
        ("wait", _) => loop {
            thread::park();
        },
        ("spin", message) => {
            eprintln!("{message}");
            loop {
                std::hint::spin_loop();
            }
        }
        ("say", lines) => {
            for line in 1..=lines.parse().unwrap() {
                eprintln!("line {line}");
            }
            process::exit(0)
        }
        ("fill", megabytes) => fill(megabytes.parse().unwrap()),
        ("sleep", seconds) => sleep(seconds.parse().unwrap()),
        ("names", path) => names(path),
        ("read", path) => fs::read(path).unwrap(),
        _ => job,
    }
}

/// The pattern of [`fill`]. It is computed at run time, so that the program's file does not contain
/// it.
pub(crate) fn pattern() -> [u8; 16] {
    let seed = std::hint::black_box(0x9e37_79b9_7f4a_7c15_u128);
    seed.wrapping_mul(seed).to_le_bytes()
}

/// Fills this much of the guest's memory with the pattern.
fn fill(megabytes: usize) -> Vec<u8> {
    let filled = pattern().repeat((megabytes << 20) / pattern().len());
    std::hint::black_box(filled).len().to_string().into_bytes()
}

/// Sleeps. Returns the duration by the guest's clock, in nanoseconds.
fn sleep(seconds: u64) -> Vec<u8> {
    let start = Instant::now();
    thread::sleep(Duration::from_secs(seconds));
    start.elapsed().as_nanos().to_string().into_bytes()
}

/// The names in a directory, sorted, one on each line.
fn names(path: &str) -> Vec<u8> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.join("\n").into_bytes()
}
