//! deadpeer: tests how and when a program detects that its TCP peer is gone, on the real kernel.
//!
//! Data flows in one direction. All modules except the runner, the lab and the endpoints are pure:
//!
//! ```text
//! scenario (file to checked types) -> prepare (plan, oracle) -> runner (lab, endpoint) -> judge
//! -> report
//! ```
//!
//! ARCHITECTURE.md describes the layers, which a test enforces, and their invariants. From the
//! lowest layer to the highest:
//!
//! * [`model`]: the basic types that all other modules share
//! * [`world`]: the modelled network, on which the steps act
//! * `file`: reads a TOML file with its keys
//! * [`step`], [`setting`]: the steps of a case and the settings of an end, one file for each
//! * [`scenario`]: the file format; it reports all errors of a file at once; [`shipped`]: the files
//!   that are part of the program
//! * [`oracle`]: predictions of Linux's behaviour; each rule cites its kernel function
//! * [`plan`], [`prepare`]: a case with its network and its prediction
//! * [`wire`], [`evidence`]: decoded frames, and the evidence that a case records
//! * [`lab`], [`endpoint`]: namespaces, and the sockets in them
//! * [`runner`]: runs many cases at once
//! * [`outcome`], [`judge`]: the observation of a case, and the verdict on it
//! * [`record`]: the result of a run as data, which is saved and read back
//! * [`mod@reference`]: the reference and the JSON Schema of scenario files, from the key tables
//! * [`report`]: reports, which are functions of events and results
//! * [`job`]: a case that is sent to a guest; [`guest`]: a separate kernel for a job, with this
//!   program as its init
//! * [`privilege`]: drops all rights that are not needed, and enters a user namespace without root;
//!   [`limits`]: the resource limits of this process; [`input`]: files that a user names
//! * [`cli`]: the command line of `harness`
//! * [`stall`]: intervals in which the machine stood still; [`processors`], `memory`: processors
//!   and the available memory of the machine

pub mod cli;
pub mod clock;
pub mod endpoint;
pub mod evidence;
mod file;
pub mod guest;
pub mod input;
pub mod job;
pub mod judge;
pub mod kernel;
pub mod lab;
pub mod limits;
mod memory;
pub mod model;
pub mod oracle;
pub mod outcome;
pub mod plan;
pub mod prepare;
pub mod privilege;
pub mod processors;
pub mod record;
pub mod reference;
pub mod report;
pub mod runner;
pub mod scenario;
pub mod setting;
pub mod shipped;
pub mod stall;
pub mod step;
pub mod suggest;
pub mod sys;
#[cfg(test)]
mod testing;
pub mod text;
pub mod wire;
pub mod world;
