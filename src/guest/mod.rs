//! Runs a job in a guest kernel whose init process is the harness itself. A job and its result are
//! byte strings.
//!
//! ```text
//! host:  run(machine, job) -> initramfs (program, libraries, job) -> kernel -> frames -> result
//! guest: enter_if_guest(handler) -> set up -> handler(job) -> frames -> power off
//! ```
//!
//! * [`archive`](mod@archive), [`program`], [`image`]: the initramfs of a guest. A guest has no
//!   access to the host's files.
//! * [`uml`]: the command line of a user-mode kernel
//! * [`qemu`], [`modules`]: the command line of a distribution's kernel, and the modules that it
//!   needs
//! * [`machine`]: the host process of a guest. The kernel kills it when the harness ends, also
//!   after SIGKILL.
//! * [`processor`], [`memory`]: the processor and the memory file of a guest
//! * [`frame`], [`console`]: the result and the console output that the host receives
//! * [`init`]: the init process inside the guest
//!
//! The exit status of a guest kernel is not used. A result counts only if the frame `Done` follows
//! it.

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
pub(crate) use memory::room_for;
pub use qemu::Accel;
