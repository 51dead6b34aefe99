//! Builds user-mode Linux kernels for virtual time from a distribution's source and keeps them in
//! the user's cache.
//!
//! ```text
//! source (package, tree, tarball) -> edits -> configuration, verified -> make -> cache
//! ```
//!
//! * `spec`: the kernel that a caller requests: its series and its tick
//! * `build_spec`: the configuration and the commands that make a kernel, and their fingerprint
//! * `edits`: the changes to the source, each with its reason
//! * `config`: compares the kernel's configuration with the requested one
//! * `source`, `tools`, `command`: the origin of the source, and the programs that do the work
//! * `build`: the way from the source to a kernel in the cache
//! * `build_dir`, `stop`: the temporary directory of a build, and its cancellation
//! * `cache`, `version`: where kernels lie, and their names
//!
//! The crate depends on no other crate of the workspace. Its caller passes what it needs of the
//! process: how to start a program that cannot outlive it ([`Spawn`]), and the user's home.

mod build;
mod build_dir;
mod build_spec;
mod cache;
mod command;
mod config;
mod edits;
mod error;
mod source;
mod spec;
mod stop;
mod tools;
mod version;

pub use build::{Build, Stage};
pub use cache::{Cache, Kernel, NoHome, NotFound, find};
pub use command::Spawn;
pub use edits::MEMORY_DESCRIPTOR;
pub use error::BuildError;
pub use spec::{KernelSpec, Series, Tick, UnknownSeries, UnknownTick};
pub use stop::Stop;
pub use tools::Tool;
pub use version::Version;
