//! The version of a kernel.

use std::fmt;

use crate::spec::Series;

/// A version such as `6.12.117`, ordered by its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// Reads the Makefile at the root of the source.
    pub(crate) fn from_makefile(text: &str) -> Option<Self> {
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

    /// Reads the text that [`fmt::Display`] writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let numbers: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[major, minor, patch]) => Some(Self {
                major,
                minor,
                patch,
            }),
            _ => None,
        }
    }

    /// Whether the version belongs to the series.
    pub(crate) fn is_of(self, series: Series) -> bool {
        (self.major, self.minor) == series.numbers()
    }

    /// The series of the version; `None` for one that cannot be built.
    pub(crate) fn series(self) -> Option<Series> {
        Series::ALL.into_iter().find(|series| self.is_of(*series))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
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
    fn a_makefile_gives_the_version() {
        let version = Version::from_makefile(MAKEFILE).unwrap();
        assert_eq!(version.to_string(), "6.12.117");
        assert!(version.is_of(Series::V6_12));
        assert!(!version.is_of(Series::V6_1));
        assert_eq!(version.series(), Some(Series::V6_12));
        assert_eq!(Version::from_makefile("all:\n\tcc\n"), None);
    }

    #[test]
    fn versions_are_ordered_by_number() {
        let version = |text: &str| Version::parse(text).unwrap();
        assert_eq!(version("6.1.9").to_string(), "6.1.9");
        assert!(version("6.1.10") > version("6.1.9"));
        for wrong in ["6.1", "6.1.x", "6.1.2.3", ""] {
            assert_eq!(Version::parse(wrong), None, "{wrong}");
        }
    }
}
