//! A kernel's version.

use std::fmt;
use std::str::FromStr;

use super::Series;

/// As in `6.12.117`; ordered as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

/// This is no kernel's version.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version such as 6.12.117")]
pub struct NotAVersion;

impl Version {
    /// From the Makefile at the root of the source.
    pub(super) fn from_makefile(text: &str) -> Option<Self> {
        let number = |name: &str| {
            text.lines().find_map(|line| {
                let (key, value) = line.split_once('=')?;
                (key.trim() == name).then(|| value.trim().parse().ok())?
            })
        };
        Some(Self {
            major: number("VERSION")?,
            minor: number("PATCHLEVEL")?,
            patch: number("SUBLEVEL")?,
        })
    }

    /// Whether it belongs to the series.
    #[must_use]
    pub fn is_of(self, series: Series) -> bool {
        (self.major, self.minor) == series.numbers()
    }

    /// The series that it belongs to, if guests are built from that.
    #[must_use]
    pub fn series(self) -> Option<Series> {
        Series::ALL.into_iter().find(|series| self.is_of(*series))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let numbers: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[major, minor, patch]) => Ok(Self {
                major,
                minor,
                patch,
            }),
            _ => Err(NotAVersion),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAKEFILE: &str = "\
# SPDX-License-Identifier: GPL-2.0
VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 117
EXTRAVERSION =
NAME = Baby Opossum Posse
KERNELVERSION = $(VERSION)$(if $(PATCHLEVEL),.$(PATCHLEVEL))
";

    #[test]
    fn a_makefile_tells_the_version() {
        let version = Version::from_makefile(MAKEFILE).unwrap();
        assert_eq!(version.to_string(), "6.12.117");
        assert!(version.is_of(Series::V6_12));
        assert!(!version.is_of(Series::V6_1));
        assert_eq!(version.series(), Some(Series::V6_12));
        assert_eq!(Version::from_makefile("all:\n\tcc\n"), None);
    }

    #[test]
    fn versions_are_read_as_they_are_written_and_ordered_by_number() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert_eq!(version("6.1.9").to_string(), "6.1.9");
        assert!(version("6.1.10") > version("6.1.9"));
        for wrong in ["6.1", "6.1.x", "6.1.2.3", ""] {
            assert_eq!(wrong.parse::<Version>(), Err(NotAVersion), "{wrong}");
        }
    }
}
