//! What is built, and how: all that decides what a kernel is, apart from the compiler.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::config::settings;
use super::edits::edits;
use crate::model::Hz;

/// What is configured on top of `allnoconfig`.
pub(super) const FRAGMENT: &str = include_str!("uml.config");

/// What `make` is told, in the folder of the source. The folders `out` and the file `uml.config` lie beside it; make looks for the
/// latter from within `out`.
pub(super) const MAKE: [&str; 2] = ["ARCH=um", "O=../out"];

/// In addition, to configure.
pub(super) const CONFIGURE: [&str; 2] = ["KCONFIG_ALLCONFIG=../uml.config", "allnoconfig"];

/// The only variables that `make` sees beside `PATH`: what a kernel is does not depend on who builds it, where and when.
pub(super) const ENVIRONMENT: [(&str, &str); 4] = [
    ("LC_ALL", "C"),
    ("KBUILD_BUILD_USER", "deadpeer"),
    ("KBUILD_BUILD_HOST", "deadpeer"),
    ("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970"),
];

/// A series of kernels that guests are built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// Debian 12's kernel.
    V6_1,
    /// Debian 13's kernel.
    V6_12,
    /// The kernel of Debian 13's backports. Its programs stop by seccomp instead of ptrace, which is faster.
    V7_2,
}

impl Series {
    /// All of them, the oldest first.
    pub const ALL: [Self; 3] = [Self::V6_1, Self::V6_12, Self::V7_2];

    /// As in `6.12`.
    #[must_use]
    pub fn numbers(self) -> (u32, u32) {
        match self {
            Self::V6_1 => (6, 1),
            Self::V6_12 => (6, 12),
            Self::V7_2 => (7, 2),
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.numbers();
        write!(f, "{major}.{minor}")
    }
}

/// A series that guests are not built from.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it can be 6.1, 6.12 or 7.2")]
pub struct UnknownSeries;

impl FromStr for Series {
    type Err = UnknownSeries;

    fn from_str(text: &str) -> Result<Self, UnknownSeries> {
        let known = Self::ALL
            .into_iter()
            .find(|series| series.to_string() == text);
        known.ok_or(UnknownSeries)
    }
}

/// A tick that no kernel is built with.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it can be 100, 250, 300 or 1000")]
pub struct UnknownTick;

/// A tick that kernels are built with (`kernel/Kconfig.hz`).
///
/// # Errors
/// [`UnknownTick`] for all others.
pub fn tick(text: &str) -> Result<Hz, UnknownTick> {
    ["100", "250", "300", "1000"]
        .into_iter()
        .find(|known| *known == text)
        .and_then(|known| known.parse().ok())
        .and_then(Hz::new)
        .ok_or(UnknownTick)
}

/// A kernel that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Its series.
    pub series: Series,
    /// Its tick.
    pub hz: Hz,
}

impl Default for Wanted {
    /// The newest series with the tick that distributions ship.
    fn default() -> Self {
        Self {
            series: Series::V7_2,
            hz: Hz::DISTRIBUTIONS,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Linux {} with HZ={}", self.series, self.hz.get())
    }
}

impl Wanted {
    /// The command that builds it.
    #[must_use]
    pub fn build_command(self) -> String {
        let (series, hz) = (self.series, self.hz.get());
        format!("harness kernel build --version {series} --hz {hz}")
    }
}

/// Eight hexadecimal digits that change with everything that decides what such a kernel is, apart from its version.
pub(super) fn fingerprint(wanted: Wanted) -> String {
    let mut digest = Sha256::new();
    // A zero stands between any two parts, so that no two lists of parts run into the same bytes.
    let mut add = |part: &str| {
        digest.update(part);
        digest.update([0]);
    };
    settings(FRAGMENT).for_each(&mut add);
    MAKE.iter().chain(&CONFIGURE).for_each(|part| add(part));
    for (name, value) in ENVIRONMENT {
        add(name);
        add(value);
    }
    for edit in edits(wanted) {
        add(edit.path);
        add(edit.old);
        add(&edit.new);
    }
    let bytes = digest.finalize();
    bytes[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_read_as_they_are_written() {
        for series in Series::ALL {
            assert_eq!(series.to_string().parse(), Ok(series));
        }
        for wrong in ["6.13", "6", "6.1.2", "v6.1", "7.20", ""] {
            assert_eq!(wrong.parse::<Series>(), Err(UnknownSeries), "{wrong}");
        }
    }

    #[test]
    fn ticks_are_those_of_the_kernels_own_configuration() {
        for known in [100, 250, 300, 1000] {
            assert_eq!(tick(&known.to_string()).unwrap().get(), known);
        }
        for wrong in ["0", "128", "0250", "250 "] {
            assert_eq!(tick(wrong), Err(UnknownTick), "{wrong}");
        }
    }

    #[test]
    fn the_fingerprint_is_short_stable_and_different_for_each_tick_and_recipe() {
        let of = |series, hz| {
            let hz = tick(hz).unwrap();
            fingerprint(Wanted { series, hz })
        };
        assert_eq!(of(Series::V7_2, "250").len(), 8);
        assert_eq!(of(Series::V7_2, "250"), of(Series::V7_2, "250"));
        assert_ne!(of(Series::V7_2, "250"), of(Series::V7_2, "100"));
        assert_ne!(of(Series::V7_2, "250"), of(Series::V6_12, "250"));
    }

    #[test]
    fn the_command_that_builds_a_kernel_asks_for_it() {
        assert_eq!(
            Wanted::default().build_command(),
            "harness kernel build --version 7.2 --hz 250"
        );
    }
}
