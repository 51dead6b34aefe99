//! deadpeer: how and when a program learns that its TCP peer is gone, on the real kernel.
//!
//! Data flows one way, and all but the middle is pure:
//!
//! ```text
//! scenario (file to checked types) -> prepare (plan, oracle) -> runner (lab, endpoint) -> judge
//! -> report
//! ```
//!
//! ARCHITECTURE.md has the layers, which a test enforces, and their invariants. From below:
//!
//! * [`model`]: the vocabulary that all other modules share
//! * [`world`]: the modelled network, on which the steps act
//! * `file`: a TOML file as it is read, with its keys
//! * [`step`], [`setting`]: the steps of a case and the settings of an end, one file each
//! * [`scenario`]: the file format, with every error of a file at once; [`shipped`]: the files that
//!   come with the program; [`mod@reference`]: the schema and the reference of the format
//! * [`oracle`]: what Linux will do, each rule with the kernel function it comes from
//! * [`plan`], [`prepare`]: a case with its network and its prediction
//! * [`wire`], [`evidence`]: what frames mean, and what a case leaves behind
//! * [`lab`], [`endpoint`]: namespaces, and the sockets in them
//! * [`runner`]: many cases at once
//! * [`outcome`], [`judge`]: what was observed, and the verdict on it
//! * [`record`]: the result of a run as data, saved and read back
//! * [`mod@reference`]: the reference and the JSON Schema of scenario files, from the key tables
//! * [`report`]: functions of events and results
//! * [`job`]: a case that is sent to a guest; [`guest`]: a kernel of its own for a job, with this
//!   program as its init
//! * [`privilege`]: no more rights than are needed, and a user namespace where there is no root;
//!   [`limits`]: those of this process; [`input`]: files that a user names
//! * [`stall`]: when the machine itself stood still; [`processors`], `memory`: what it has

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
