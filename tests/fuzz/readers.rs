//! The code that reads the inputs, and everything that the program then does with them.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deadpeer::guest;
use deadpeer::job::{Description, JobResult};
use deadpeer::judge::judge;
use deadpeer::oracle::Ticks;
use deadpeer::outcome::{Attempt, CaseResult, Verdict};
use deadpeer::prepare::{self, Prepared};
use deadpeer::record::Record;
use deadpeer::report::pcap::{self, Origin};
use deadpeer::report::{detail, plan, summary};
use deadpeer::scenario;
use fastrand::Rng;
use flate2::Crc;
use futures::executor::block_on;

use crate::corpus::Corpus;
use crate::mutate::mutate;

/// The reader of an input.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reader {
    /// Scenario files, as `check` reads them.
    Scenario,
    /// Results, as `trace` reads them.
    Result,
    /// The frames of a guest, as the host reads them.
    Guest,
}

impl Reader {
    /// Results are a hundred times as large as scenarios, so there are fewer of them.
    pub(crate) fn of(number: u64) -> Self {
        match number % 16 {
            0..12 => Self::Scenario,
            12 => Self::Result,
            _ => Self::Guest,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scenario => "a scenario",
            Self::Result => "a result",
            Self::Guest => "the frames of a guest",
        }
    }

    pub(crate) fn input(self, corpus: &Corpus, rng: &mut Rng) -> Vec<u8> {
        let of = match self {
            Self::Scenario => &corpus.scenarios,
            Self::Result => &corpus.results,
            Self::Guest => &corpus.answers,
        };
        let mut input = of[rng.usize(..of.len())].clone();
        mutate(&mut input, &of[rng.usize(..of.len())], rng);
        match self {
            Self::Scenario | Self::Result => input,
            Self::Guest => said(&input, &corpus.prepared, rng),
        }
    }

    /// Processes an input as the program does.
    pub(crate) fn read(self, input: &[u8]) {
        match self {
            Self::Scenario => scenario(&String::from_utf8_lossy(input)),
            Self::Result => result(&String::from_utf8_lossy(input)),
            Self::Guest => guest(input),
        }
    }
}

fn scenario(text: &str) {
    let scenario = match scenario::read(Path::new("fuzzed.toml"), text) {
        Ok(scenario) => scenario,
        Err(error) => return drop(error.render(true)),
    };
    let scenarios = vec![scenario];
    match prepare::prepare(scenarios.clone(), Ticks::Unknown) {
        Ok(cases) => {
            for file in prepare::warnings(&cases, &scenarios) {
                drop(file.render(true));
            }
            for case in &cases {
                drop(plan::lines(case));
            }
        }
        Err(files) => files.iter().for_each(|file| drop(file.render(true))),
    }
}

fn result(text: &str) {
    let record = match Record::read(text) {
        Ok(record) => record,
        Err(error) => return drop(error.to_string()),
    };
    for (_, which, result) in record.results() {
        detail::write(&mut io::sink(), true, &which, result, 80).unwrap();
    }
    for run in &record.kernels {
        drop(summary::skips(&run.results, None, 80));
    }
}

/// The frames of an answer, preceded by a prepared case: the judge compares an answer with the
/// case.
fn said(answer: &[u8], prepared: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let asked = &prepared[rng.usize(..prepared.len())];
    let mut said = (asked.len() as u32).to_le_bytes().to_vec();
    said.extend(asked);
    let begins = said.len();
    let kind = b"RRRRRRRRPUD?"[rng.usize(..12)];
    said.extend(frame(kind, answer));
    said.extend(frame(b'D', &[]));
    // In one of four inputs, the bytes of the frames are mutated too.
    if rng.u8(0..4) == 0 {
        let mut line = said.split_off(begins);
        mutate(&mut line, answer, rng);
        said.extend(line);
    }
    said
}

fn frame(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(&[kind]);
    crc.update(bytes);
    let mut frame = vec![kind];
    frame.extend((bytes.len() as u32).to_le_bytes());
    frame.extend(crc.sum().to_le_bytes());
    frame.extend(bytes);
    frame
}

fn guest(said: &[u8]) {
    let (length, said) = said.split_first_chunk().unwrap();
    let (asked, mut line) = said.split_at(u32::from_le_bytes(*length) as usize);
    let answer = match block_on(guest::receive(&mut line)) {
        Ok(Some(answer)) => answer,
        Ok(None) => return,
        Err(failure) => return drop(failure.to_string()),
    };
    drop(serde_json::from_slice::<Description>(&answer));
    let Ok(variants) = serde_json::from_slice::<Vec<JobResult>>(&answer) else {
        return;
    };
    let prepared: Arc<Prepared> = Arc::new(serde_json::from_slice(asked).unwrap());
    for ran in variants {
        let (verdict, observation) = match ran.attempt {
            Attempt::Observed(observation) => (judge(&prepared, &observation), Some(*observation)),
            Attempt::Skipped(why) => (Verdict::Skipped(why), None),
            Attempt::Impossible(why) => (Verdict::Error(why), None),
        };
        let result = CaseResult {
            prepared: Arc::clone(&prepared),
            phase: Duration::ZERO,
            verdict,
            observation,
            elapsed: Duration::ZERO,
            guest_time: Some(ran.took),
        };
        detail::write(&mut io::sink(), true, "", &result, 80).unwrap();
        let origin = Origin {
            summary: "fuzzed",
            kernel: "Linux",
        };
        // A result that cannot be written as a capture is an error, as a full disk is.
        drop(pcap::write(&mut io::sink(), &result, origin));
    }
}
