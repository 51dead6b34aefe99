//! Whose cache it is. Nothing about a kernel needs root: under sudo, cache and build are those of the user who called sudo.

use std::env;
use std::ffi::CString;
use std::io;
use std::path::PathBuf;

use etcetera::{BaseStrategy, base_strategy::Xdg};
use nix::unistd::{Uid, User, initgroups, setgid, setuid};

/// There is no home folder, so no cache.
#[derive(Debug, thiserror::Error)]
#[error("there is no folder for kernels: neither XDG_CACHE_HOME nor HOME is set")]
pub struct NoHome;

/// `$XDG_CACHE_HOME`, or `~/.cache`.
pub(super) fn cache_folder() -> Result<PathBuf, NoHome> {
    let named = env::var_os("XDG_CACHE_HOME").is_some();
    match caller() {
        Some(user) if !named => Ok(user.dir.join(".cache")),
        _ => Ok(Xdg::new().map_err(|_| NoHome)?.cache_dir()),
    }
}

/// Gives root's rights back where sudo has lent them. Must be called while the process has one thread, and is final.
///
/// # Errors
/// What the system says of the change.
pub fn return_to_caller() -> io::Result<()> {
    let Some(user) = caller() else {
        return Ok(());
    };
    initgroups(&CString::new(user.name)?, user.gid)?;
    setgid(user.gid)?;
    setuid(user.uid)?;
    Ok(())
}

/// The user who called sudo, if this is root by sudo: whose the files are that are written. To be asked before the process enters a user
/// namespace of its own, in which everybody is root.
#[must_use]
pub fn caller() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    let uid: u32 = env::var("SUDO_UID").ok()?.parse().ok()?;
    let user = User::from_uid(Uid::from_raw(uid)).ok()??;
    (!user.uid.is_root()).then_some(user)
}
