//! Measures the cost of recording: the same labs, connections and faults run alternately with
//! everything that a run records, and without any recording.
//!
//! `cargo bench --bench recording`, as root or rootless, on an idle machine. Fails if a bound is
//! exceeded.
//!
//! * *Shift*: data is in flight to a crashed server, with a user timeout of 200 ms. Measured from
//!   the write to the error. Timers under 256 ms are exact to a jiffy (`calc_wheel_index`). Timers
//!   of a second have a granularity of 32 ms in the timer wheel, which would hide a shift of a
//!   millisecond.
//! * *Processor*: keepalive ends an idle connection after four seconds, with a hundred such labs at
//!   once. Measured is the processor time of the process for each lab, as a share of the lab's
//!   lifetime.
//! * *Told late*: in the same cases, the time from the RST that the kernel sends when it gives up
//!   (`tcp_send_active_reset`, the timestamp of the capture) to the return of `read` with the
//!   error.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpeer::endpoint::{EndWitness, Endpoint, socket};
use deadpeer::kernel;
use deadpeer::lab::Lab;
use deadpeer::model::{CLIENT_PORT, End, Moment, Node, SERVER_PORT};
use deadpeer::oracle::Ticks;
use deadpeer::outcome::{Observation, Verdict};
use deadpeer::prepare::{Prepared, prepare};
use deadpeer::privilege;
use deadpeer::runner::{self, Entry, Options, Place};
use deadpeer::scenario;
use deadpeer::step::{Action, NetworkAction, ProgramAction};
use futures::future::try_join_all;
use nix::sys::resource::{UsageWho, getrusage};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

const IN_FLIGHT: &str = r#"
summary = "data in flight"
[topology]
preset = "direct"
family = "ipv4"
[connection.client]
user_timeout = "200ms"
[[step]]
do = "exchange"
[[step]]
do = "crash"
host = "server"
[[step]]
do = "send"
[expect.client]
error = "ETIMEDOUT"
"#;

const IDLE: &str = r#"
summary = "idle"
[topology]
preset = "direct"
family = "ipv4"
[connection.client]
keepalive = { idle = "1s", interval = "1s", probes = 3 }
[[step]]
do = "exchange"
[[step]]
do = "crash"
host = "server"
[expect.client]
error = "ETIMEDOUT"
"#;

/// The wait after an exchange, for the last acknowledgement, which the kernel delays
/// (`TCP_DELACK_MIN`, 40 ms).
const ACKNOWLEDGED: Duration = Duration::from_millis(60);
/// The pause between two batches: the kernel removes labs asynchronously.
const PAUSE: Duration = Duration::from_millis(300);

const MOST_SHIFT: Duration = Duration::from_millis(1);
const MOST_PROCESSOR: f64 = 0.05;
const MOST_LATE: Duration = Duration::from_millis(2);

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    privilege::isolate()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut beyond = Vec::new();

    let short = Measured::new(&runtime, &prepared(IN_FLIGHT)?, 40, 10)?;
    let (recorded, bare) = (median(&short.recorded.times), median(&short.bare.times));
    let shift = recorded.abs_diff(bare);
    println!(
        "from the write to the error, {} each: recorded {recorded:?}, bare {bare:?}, shift {shift:?}",
        short.bare.times.len()
    );
    if shift >= MOST_SHIFT {
        beyond.push("shift");
    }

    let long = Measured::new(&runtime, &prepared(IDLE)?, 4, 100)?;
    let (recorded, bare) = (long.recorded.share(), long.bare.share());
    println!(
        "processor for each lab: recorded {}, bare {}, recording takes {}",
        share(&long.recorded),
        share(&long.bare),
        percent(recorded - bare)
    );
    if recorded - bare >= MOST_PROCESSOR {
        beyond.push("processor");
    }

    let alone = Measured::new(&runtime, &prepared(IDLE)?, 5, 5)?;
    let late = median(&alone.recorded.told_late);
    println!(
        "from the kernel's RST to the error, {} of them: median {late:?}, at most {:?}",
        alone.recorded.told_late.len(),
        alone
            .recorded
            .told_late
            .iter()
            .max()
            .copied()
            .unwrap_or_default()
    );
    if late >= MOST_LATE {
        beyond.push("told late");
    }

    runtime.shutdown_background();
    if beyond.is_empty() {
        Ok(())
    } else {
        Err(format!("beyond its bound: {}", beyond.join(", ")).into())
    }
}

/// The measurements of a case, with and without recording.
#[derive(Default)]
struct Measured {
    recorded: Batches,
    bare: Batches,
}

/// The measurements of one way.
#[derive(Default)]
struct Batches {
    /// The times from the write, or else from the fault, to the error.
    times: Vec<Duration>,
    /// The times from the RST to the error.
    told_late: Vec<Duration>,
    /// The processor time of the process.
    processor: Duration,
    /// The sum of the lifetimes of the labs.
    labs: Duration,
}

impl Batches {
    /// The share of one processor that a lab takes.
    fn share(&self) -> f64 {
        self.processor.as_secs_f64() / self.labs.as_secs_f64()
    }
}

impl Measured {
    /// Runs both ways alternately, so that other load on the machine affects both.
    fn new(
        runtime: &tokio::runtime::Runtime,
        case: &Prepared,
        rounds: usize,
        at_once: usize,
    ) -> Result<Self, Failure> {
        let mut measured = Self::default();
        for _ in 0..rounds {
            let (used, begun) = (used()?, Instant::now());
            for observation in runtime.block_on(recorded(case, at_once))? {
                measured.recorded.see(&observation)?;
            }
            measured.recorded.took(used, begun, at_once)?;
            std::thread::sleep(PAUSE);

            let (used, begun) = (self::used()?, Instant::now());
            let labs = (0..at_once).map(|_| bare(case));
            measured
                .bare
                .times
                .extend(runtime.block_on(try_join_all(labs))?);
            measured.bare.took(used, begun, at_once)?;
            std::thread::sleep(PAUSE);
        }
        Ok(measured)
    }
}

impl Batches {
    fn took(&mut self, used_before: Duration, begun: Instant, labs: usize) -> Result<(), Failure> {
        self.processor += used()? - used_before;
        self.labs += begun.elapsed() * u32::try_from(labs)?;
        Ok(())
    }

    fn see(&mut self, observation: &Observation) -> Result<(), Failure> {
        let client = observation.ends.iter().find(|end| end.end == End::Client);
        let seen = client.and_then(|end| end.connections.first());
        let seen = seen.ok_or("the client was not observed")?;
        let (_, ended) = seen.ended.ok_or("no error came")?;
        let fault = observation.zero;
        let written = seen.writes.iter().map(|write| write.at).max();
        let from = written.map_or(fault, |at| at.max(fault));
        self.times.push(ended.since(from));
        if let Some(rst) = seen.track.rst_sent.last() {
            self.told_late.push(ended.since(*rst));
        }
        Ok(())
    }
}

/// Runs the case as `harness run` does.
async fn recorded(case: &Prepared, at_once: usize) -> Result<Vec<Observation>, Failure> {
    let entry = Entry {
        prepared: Arc::new(case.clone()),
        phase: Duration::ZERO,
    };
    let options = Options {
        jobs: None,
        timeout: None,
        slow: false,
        fail_fast: false,
        all_evidence: true,
        place: Place::Here,
    };
    let (events, _) = mpsc::unbounded_channel();
    let results = runner::run(vec![entry; at_once], options, events).await;
    let observation = |result: deadpeer::outcome::CaseResult| match result.verdict {
        Verdict::Error(why) => Err(why.into()),
        _ => result.observation.ok_or_else(|| "not observed".into()),
    };
    results.into_iter().map(observation).collect()
}

/// Runs the case without recording. Returns the time from the write, or else from the fault, to the
/// error.
async fn bare(case: &Prepared) -> Result<Duration, Failure> {
    let connection = &case.case.connection;
    let lab = Lab::build(case.networks(), connection, &Handle::current()).await?;
    let server = lab.plans[0].socket_address(End::Server, SERVER_PORT);
    let from = lab.plans[0].socket_address(End::Client, CLIENT_PORT);
    let listener = socket::listen(lab.node(Node::SERVER), server, &connection.server).await?;
    let client = socket::connect(lab.node(Node::CLIENT), from, server, &connection.client).await?;
    let witness = EndWitness::default();
    let mut client = Endpoint::new(client, CLIENT_PORT, &witness);
    let mut server = Endpoint::new(listener.accept().await?.0, CLIENT_PORT, &witness);
    let mut counts_from = Moment::now();
    for step in &case.case.steps {
        match &step.action {
            Action::Program(ProgramAction::Exchange(exchange)) => {
                let payload = &exchange.payload;
                client.write(payload).await?;
                server.received_from(&client, payload.len()).await?;
                server.write(payload).await?;
                client.received_from(&server, payload.len()).await?;
                tokio::time::sleep(ACKNOWLEDGED).await;
            }
            Action::Network(NetworkAction::Crash(crash)) => {
                counts_from = Moment::now();
                let link = lab.uplink(crash.host);
                lab.node(crash.host.node()).silence(&link.name).await?;
            }
            Action::Program(ProgramAction::SendData(send)) => {
                counts_from = Moment::now();
                client.write(&vec![b'.'; send.bytes as usize]).await?;
            }
            other => return Err(format!("not made for: {other}").into()),
        }
    }
    client.end().await;
    let at = client.over_since().ok_or("no error came")?;
    Ok(at.since(counts_from))
}

fn prepared(text: &str) -> Result<Prepared, Failure> {
    let scenario = scenario::read(Path::new("benchmark.toml"), text);
    let scenario = scenario.map_err(|error| error.render(false))?;
    let ticks = kernel::hz().map_or(Ticks::Unknown, Ticks::from);
    let cases = prepare(vec![scenario], ticks);
    let cases = cases.map_err(|_| "no window")?;
    cases.into_iter().next().ok_or_else(|| "no case".into())
}

/// The processor time of this process, in user mode and in the kernel.
fn used() -> Result<Duration, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let time = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec().unsigned_abs(), 0)
            + Duration::from_micros(time.tv_usec().unsigned_abs())
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}

fn share(batches: &Batches) -> String {
    let labs = batches.times.len().max(1);
    let each = batches.processor / u32::try_from(labs).unwrap_or(u32::MAX);
    format!("{} ({each:?})", percent(batches.share()))
}

fn percent(share: f64) -> String {
    format!("{:.3} %", share * 100.0)
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
