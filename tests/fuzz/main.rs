//! Fuzzers of all input that another program may have written: scenario files, results, and the
//! frames of a guest.
//!
//! An input is a function of the seed and of its number, so only an input that fails is stored. A
//! child process with a limit on memory and on time reads the inputs. If the child dies (a panic, a
//! full stack, too much memory, too much time), this process prints the number of the input, writes
//! the input to a file, and prints the command that reads it again.
//!
//! * [`corpus`]: the inputs that are mutated
//! * [`mutate`](mod@mutate): the mutations
//! * [`readers`]: the code that reads the inputs
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

/// The maximum processor time of one input.
const LONGEST: Duration = Duration::from_secs(1);

/// The maximum wall-clock time of one input in seconds, also on a busy machine.
const GIVE_UP: u32 = 60;

/// The maximum memory of one input.
const MOST_MEMORY: u64 = 200 << 20;

/// Fuzzes the readers of scenarios, results and frames of guests.
#[derive(Debug, Parser)]
struct Arguments {
    /// The seed of the random numbers; by default, another one in each run
    #[arg(long, default_value_t = fastrand::u64(..))]
    seed: u64,
    /// The duration in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The number of inputs, instead of a duration
    #[arg(long)]
    inputs: Option<u64>,
    /// The number of the first input
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// The file to which the child process writes the number of each input before it reads the
    /// input
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

/// Starts a child process that reads the inputs, and reports the input on which it dies.
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

/// The input with this number, and its reader.
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

/// Limits the memory of the process to its present size and [`MOST_MEMORY`]. Beyond that, an
/// allocation fails and the process ends.
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
