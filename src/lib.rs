//! deadpeer: how and when a program learns that its TCP peer is gone, on the real kernel.
//!
//! Data flows one way, and all but the middle is pure:
//!
//! ```text
//! scenario (file to checked types) -> prepare (plan, oracle) -> runner (lab, endpoint, fault) -> judge -> report
//! ```
//!
//! * [`scenario`]: the file format, with every error of a file at once; [`shipped`]: the files that come with the program
//! * [`setting`]: the settings of an end, each with what it sets
//! * [`input`]: files that a user names
//! * [`oracle`]: what Linux will do, each rule with the kernel function it comes from
//! * [`plan`], [`prepare`]: a case with its network and its prediction
//! * [`lab`], [`endpoint`], [`fault`]: namespaces, sockets, and what is done to them
//! * [`runner`]: many cases at once
//! * [`wire`], [`evidence`]: what frames mean, and what a case leaves behind
//! * [`outcome`], [`judge`]: what was seen, and the verdict on it
//! * [`stall`]: when the machine itself stood still; [`processors`], `memory`: what it has
//! * [`record`]: the result of a run as data, saved and read back
//! * [`mod@reference`]: the reference and the JSON Schema of scenario files, from the key tables
//! * [`report`]: functions of events and results
//! * [`job`]: a case that is sent to a guest
//! * [`guest`]: a kernel of its own for a job, with this program as its init
//! * [`privilege`]: no more rights than are needed, and a user namespace where there is no root; [`limits`]: those of this process

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
