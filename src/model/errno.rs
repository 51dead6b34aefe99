//! Errno values with their C library names.

use std::fmt;

use nix::errno::Errno;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An errno; displayed as `ETIMEDOUT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
pub struct ErrnoName(Errno);

impl ErrnoName {
    /// The highest errno that Linux defines (`EHWPOISON`, `include/uapi/asm-generic/errno.h`).
    const LAST: i32 = 133;

    /// The errno with this number, as a system call or `SO_ERROR` returns it.
    #[must_use]
    pub(crate) fn from_raw(raw: i32) -> Self {
        Self(Errno::from_raw(raw))
    }

    /// Every errno of Linux, in numerical order.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (1..=Self::LAST)
            .map(Self::from_raw)
            .filter(|name| name.0 != Errno::UnknownErrno)
    }

    /// Whether it is one of the errors that `tcp_reset` sets when a RST arrives.
    #[must_use]
    pub(crate) fn is_of_rst(self) -> bool {
        matches!(
            self.0,
            Errno::ECONNRESET | Errno::ECONNREFUSED | Errno::EPIPE
        )
    }

    /// The errno with this name; `None` if Linux has no such errno.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|errno| format!("{:?}", errno.0) == name)
    }
}

impl From<ErrnoName> for String {
    fn from(name: ErrnoName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for ErrnoName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name).ok_or_else(|| format!("no errno is named {name}"))
    }
}

impl From<ErrnoName> for std::io::Error {
    fn from(name: ErrnoName) -> Self {
        Self::from_raw_os_error(name.0 as i32)
    }
}

impl fmt::Display for ErrnoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:?}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use crate::model::ErrnoName;

    #[test]
    fn every_name_parses_back_to_itself() {
        for errno in ErrnoName::all() {
            assert_eq!(ErrnoName::parse(&errno.to_string()), Some(errno));
        }
    }

    #[test]
    fn unknown_and_miscased_names_are_refused() {
        assert_eq!(ErrnoName::parse("ETIMEOUT"), None);
        assert_eq!(ErrnoName::parse("etimedout"), None);
        assert_eq!(ErrnoName::parse("UnknownErrno"), None);
    }
}
