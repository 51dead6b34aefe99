//! Fuzzers of everything that is read and that another program may have written: scenario files,
//! results, and what a guest says.
//!
//! An input is a function of the seed and of its number, so no input is ever stored but the one
//! that fails. Each is read by a process that may use so much memory and so much time; where that
//! process dies (a panic, a full stack, more memory, more time), this one says which input it was,
//! writes it to a file, and how to give it to the reader again.
//!
//! * [`corpus`]: what is mutated
//! * [`mutate`](mod@mutate): how
//! * [`readers`]: who reads it
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that panics has failed, and a test prints"
)]

mod corpus;
mod mutate;
mod readers;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use fastrand::Rng;
use nix::sys::resource::{Resource, setrlimit};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::alarm;

use corpus::Corpus;
use readers::Reader;

/// The processor time that one input may take.
const LONGEST: Duration = Duration::from_secs(1);

/// Seconds after which an input is given up, on a machine however busy.
const GIVE_UP: u32 = 60;

/// The memory that one input may take.
const MOST_MEMORY: u64 = 200 << 20;

/// Fuzzes what is read.
#[derive(Debug, Parser)]
struct Arguments {
    /// What chance begins with; another one each time
    #[arg(long, default_value_t = fastrand::u64(..))]
    seed: u64,
    /// How long
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many inputs, however long that takes
    #[arg(long)]
    inputs: Option<u64>,
    /// The first input's number
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Where the number of each input is written before it is read: of the process that reads them
    #[arg(long, hide = true)]
    progress: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let corpus = Corpus::read();
    match &arguments.progress {
        Some(progress) => {
            read_all(&arguments, &corpus, progress);
            ExitCode::SUCCESS
        }
        None => watch(&arguments, &corpus),
    }
}

/// Has another process read the inputs, and tells of the one that it dies of.
fn watch(arguments: &Arguments, corpus: &Corpus) -> ExitCode {
    let Arguments { seed, from, .. } = *arguments;
    println!("fuzz: seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let progress = folder.path().join("progress");
    fs::write(&progress, [0; 8]).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--seed", &seed.to_string(), "--from", &from.to_string()]);
    match arguments.inputs {
        Some(inputs) => command.args(["--inputs", &inputs.to_string()]),
        None => command.args(["--seconds", &arguments.seconds.to_string()]),
    };
    let status = command.arg("--progress").arg(&progress).status().unwrap();
    let number = number(&progress);
    if status.success() {
        println!("fuzz: {} inputs were read", number + 1 - from);
        return ExitCode::SUCCESS;
    }
    let (reader, input) = input(seed, number, corpus);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{seed}-{number}"));
    fs::write(&file, input).unwrap();
    println!(
        "fuzz: input {number} of seed {seed}, {}: {status}\n\
         the input is {}\n\
         to read it again: cargo test --profile fuzz --features fuzz --test fuzz -- --seed {seed} --from {number} --inputs 1",
        reader.name(),
        file.display(),
    );
    ExitCode::FAILURE
}

fn number(progress: &Path) -> u64 {
    let mut bytes = [0; 8];
    File::open(progress)
        .unwrap()
        .read_exact(&mut bytes)
        .unwrap();
    u64::from_le_bytes(bytes)
}

fn read_all(arguments: &Arguments, corpus: &Corpus, progress: &Path) {
    let progress = File::options().write(true).open(progress).unwrap();
    let begun = Instant::now();
    let limit = Duration::from_secs(arguments.seconds);
    for number in arguments.from.. {
        let is_over = match arguments.inputs {
            Some(inputs) => number - arguments.from >= inputs,
            None => begun.elapsed() >= limit,
        };
        if is_over {
            break;
        }
        progress.write_all_at(&number.to_le_bytes(), 0).unwrap();
        let (reader, input) = input(arguments.seed, number, corpus);
        if number == arguments.from {
            limit_memory();
        }
        alarm::set(GIVE_UP);
        let begun = used();
        reader.read(&input);
        let took = used() - begun;
        assert!(took < LONGEST, "the input takes {took:?}");
    }
    alarm::cancel();
}

/// The input of this number, and who reads it.
fn input(seed: u64, number: u64, corpus: &Corpus) -> (Reader, Vec<u8>) {
    // Seeds that differ in one bit give unrelated numbers.
    let mut rng = Rng::with_seed(Rng::with_seed(seed).u64(..) ^ number);
    rng.u64(..);
    let reader = Reader::of(number);
    let input = reader.input(corpus, &mut rng);
    (reader, input)
}

/// The processor time of this thread.
fn used() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

/// Beyond what the process has with its corpus, it gets so much and no more: an allocation fails
/// then, and the process ends.
fn limit_memory() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let data = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let kilobytes: u64 = data
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    let most = (kilobytes << 10) + MOST_MEMORY;
    setrlimit(Resource::RLIMIT_DATA, most, most).unwrap();
}
