//! A guest kernel with the harness itself as its init: bytes in, bytes out.
//!
//! ```text
//! host:  run(machine, job) -> image (this program, its libraries, the job) -> kernel -> frames -> the result
//! guest: enter_if_guest(handler) -> set up -> handler(job) -> frames -> power off
//! ```
//!
//! * [`archive`](mod@archive), [`program`], [`image`]: what the guest's memory starts with. The
//!   guest never sees the host's files.
//! * [`uml`]: the command line of a kernel built for user mode
//! * [`qemu`], [`modules`]: that of a distribution's kernel, and the modules that it needs
//! * [`machine`]: a guest's process, which dies with the harness, however the harness dies
//! * [`processor`], [`memory`]: where it runs, and where its memory lies
//! * [`frame`], [`console`]: what comes back
//! * [`init`]: the guest's side
//!
//! The exit status of a guest kernel means nothing. A result counts when the guest has said that it
//! is done.

mod archive;
mod console;
mod descriptors;
mod error;
mod frame;
mod image;
mod init;
mod machine;
mod memory;
mod modules;
mod processor;
mod program;
mod qemu;
mod uml;

pub use error::{Failure, GuestError};
pub use init::enter_if_guest;
pub use machine::{GuestMachine, real_time, receive, run};
pub use memory::room_for;
pub use modules::ModuleError;
pub use qemu::Accel;
