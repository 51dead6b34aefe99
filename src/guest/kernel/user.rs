//! Whose cache it is: the user's, and under sudo that of the user who called it.

use std::env;
use std::path::PathBuf;

use etcetera::{BaseStrategy, base_strategy::Xdg};

use crate::privilege;

/// There is no home folder, so no cache.
#[derive(Debug, thiserror::Error)]
#[error("there is no folder for kernels: neither XDG_CACHE_HOME nor HOME is set")]
pub struct NoHome;

/// `$XDG_CACHE_HOME`, or `~/.cache`. (sudo may have set `HOME` to root's.)
pub(super) fn cache_folder() -> Result<PathBuf, NoHome> {
    let named = env::var_os("XDG_CACHE_HOME").is_some();
    match privilege::home() {
        Some(home) if !named => Ok(home.join(".cache")),
        _ => Ok(Xdg::new().map_err(|_| NoHome)?.cache_dir()),
    }
}
