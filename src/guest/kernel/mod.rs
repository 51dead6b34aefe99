//! User-mode Linux kernels for virtual time: built from a distribution's source, kept in the user's cache.
//!
//! ```text
//! source (package, tree, tarball) -> edits -> configuration, verified -> make -> cache
//! ```
//!
//! * [`recipe`](mod@recipe): what is built, and the fingerprint that tells one recipe's kernels from another's
//! * [`edits`]: what is changed in the source, each with its reason
//! * [`config`]: whether the configuration asked for is the one that the kernel has
//! * [`source`], [`tools`], [`command`]: where the source comes from, and the programs that do the work
//! * [`build`](mod@build): from the source to a kernel in the cache
//! * [`workshop`], [`stop`]: the folder of one build at a time, and how a build is given up
//! * [`cache`], [`version`], [`user`]: where kernels lie, what they are called, and whose folder that is

mod build;
mod cache;
mod command;
mod config;
mod edits;
mod error;
mod recipe;
mod source;
mod stop;
mod tools;
mod user;
mod version;
mod workshop;

use std::path::PathBuf;

pub use build::{Stage, build};
pub use cache::{Cache, Kernel};
pub(super) use edits::DESCRIPTOR as MEMORY_DESCRIPTOR;
pub use error::BuildError;
pub use recipe::{Series, UnknownSeries, UnknownTick, Wanted, tick};
pub use stop::Stop;
pub use tools::Tool;
pub use user::NoHome;
pub use version::{NotAVersion, Version};

/// There is no kernel to run.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// The cache has none that this version of the harness would build.
    #[error("there is no kernel for {wanted} in {}{}\n  build it: {}", folder.display(), stale_note(*.stale), wanted.build_command())]
    NotBuilt {
        /// What was wanted.
        wanted: Wanted,
        /// The cache.
        folder: PathBuf,
        /// Whether one from another recipe is there.
        stale: bool,
    },
    /// There is no cache to look into.
    #[error(transparent)]
    NoHome(#[from] NoHome),
    /// The cache cannot be read.
    #[error(transparent)]
    Unreadable(#[from] BuildError),
}

fn stale_note(stale: bool) -> &'static str {
    if stale {
        "; the one that is there was built by another version of the harness"
    } else {
        ""
    }
}

/// The kernel in the user's cache.
///
/// # Errors
/// [`NotFound`], with the command that builds it.
pub fn find(wanted: Wanted) -> Result<PathBuf, NotFound> {
    Ok(Cache::of_user()?.find(wanted)?.path)
}
