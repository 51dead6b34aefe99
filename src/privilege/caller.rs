//! The user whose rights the process has. Under sudo this is the user who called it, so that the
//! kernel opens, creates and replaces each file as that user, for every part of the program.

use std::env;
use std::env::VarError;
use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::sys::prctl::set_keepcaps;
use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgroups, setresgid, setresuid};

use super::capabilities::{FOR_LABS, keep};

/// The user who called sudo, if this process has become that user.
static CALLER: OnceLock<Caller> = OnceLock::new();

/// A user who called sudo.
#[derive(Debug)]
struct Caller {
    uid: Uid,
    gid: Gid,
    /// The account. Without one, the user has no supplementary groups and no home.
    account: Option<User>,
}

/// The process could not become the user who called sudo.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// A variable does not contain a number, although sudo sets it to one.
    #[error(
        "{name}={value} is not the number of a user or group\n  help: sudo sets it; unset SUDO_UID to run as root"
    )]
    NoNumber {
        /// `SUDO_UID` or `SUDO_GID`.
        name: &'static str,
        /// The value.
        value: String,
    },
    /// The user has no account, so the group is unknown too.
    #[error(
        "SUDO_GID is not set, and the user {uid}, who called sudo, has no account\n  help: unset SUDO_UID to run as root"
    )]
    NoGroup {
        /// The user.
        uid: Uid,
    },
    /// A system call failed.
    #[error(
        "cannot become the user {uid}, who called sudo: {source}\n  help: unset SUDO_UID to run as root"
    )]
    Refused {
        /// The user.
        uid: Uid,
        /// The cause.
        source: io::Error,
    },
}

/// If sudo has started this process as root, changes its user and groups to those of the user who
/// called sudo. Of root's rights only those for a lab remain, and none of these concerns files. A
/// root without sudo, and any other user, is not changed.
///
/// Must be called before the process opens a file, and while it has one thread.
///
/// # Errors
/// [`CallerError`]. The process must not open a file after it.
pub fn become_caller() -> Result<(), CallerError> {
    let Some(caller) = Caller::of_sudo()? else {
        return Ok(());
    };
    let uid = caller.uid;
    let refused = |source| CallerError::Refused { uid, source };
    caller.take_over().map_err(refused)?;
    CALLER.get_or_init(|| caller);
    Ok(())
}

/// The home directory of the user who called sudo; `None` if this process has not changed its user,
/// or the user has no account.
#[must_use]
pub fn home() -> Option<&'static Path> {
    let account = CALLER.get()?.account.as_ref()?;
    Some(&account.dir)
}

impl Caller {
    /// `None` if this process is not root, or sudo did not start it, or root called sudo.
    fn of_sudo() -> Result<Option<Self>, CallerError> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let Some(uid) = number("SUDO_UID")?.map(Uid::from_raw) else {
            return Ok(None);
        };
        if uid.is_root() {
            return Ok(None);
        }
        let refused = |errno: nix::Error| CallerError::Refused {
            uid,
            source: errno.into(),
        };
        let account = User::from_uid(uid).map_err(refused)?;
        let gid = match (number("SUDO_GID")?, &account) {
            (Some(gid), _) => Gid::from_raw(gid),
            (None, Some(account)) => account.gid,
            (None, None) => return Err(CallerError::NoGroup { uid }),
        };
        Ok(Some(Self { uid, gid, account }))
    }

    fn take_over(&self) -> io::Result<()> {
        set_keepcaps(true)?;
        match &self.account {
            Some(account) => initgroups(&CString::new(account.name.as_str())?, self.gid)?,
            None => setgroups(&[self.gid])?,
        }
        setresgid(self.gid, self.gid, self.gid)?;
        setresuid(self.uid, self.uid, self.uid)?;
        set_keepcaps(false)?;
        keep(FOR_LABS)
    }
}

fn number(name: &'static str) -> Result<Option<u32>, CallerError> {
    let wrong = |value| CallerError::NoNumber { name, value };
    match env::var(name) {
        Ok(text) => text.parse().map(Some).map_err(|_| wrong(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(text)) => Err(wrong(PathBuf::from(text).display().to_string())),
    }
}
