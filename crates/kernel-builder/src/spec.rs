//! The kernel that a caller requests.

use std::fmt;
use std::str::FromStr;

/// A series of kernels that can be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// The kernel of Debian 12.
    V6_1,
    /// The kernel of Debian 13.
    V6_12,
    /// The kernel of Debian 13's backports. Its processes stop by seccomp instead of ptrace, which
    /// is faster.
    V7_2,
}

impl Series {
    /// All series, the oldest first.
    pub const ALL: [Self; 3] = [Self::V6_1, Self::V6_12, Self::V7_2];

    /// The two numbers of a series: 6 and 12 of `6.12`.
    pub(crate) fn numbers(self) -> (u32, u32) {
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

/// The text is not a series that can be built.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it can be 6.1, 6.12 or 7.2")]
pub struct UnknownSeries;

impl FromStr for Series {
    type Err = UnknownSeries;

    fn from_str(text: &str) -> Result<Self, UnknownSeries> {
        let mut all = Self::ALL.into_iter();
        all.find(|series| series.to_string() == text)
            .ok_or(UnknownSeries)
    }
}

/// A frequency of the kernel's timer interrupt (`CONFIG_HZ`), of those in `kernel/Kconfig.hz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tick {
    /// 100 Hz.
    Hz100,
    /// 250 Hz, which distributions use.
    Hz250,
    /// 300 Hz.
    Hz300,
    /// 1000 Hz.
    Hz1000,
}

impl Tick {
    const ALL: [Self; 4] = [Self::Hz100, Self::Hz250, Self::Hz300, Self::Hz1000];
}

/// Ticks per second.
impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hz100 => "100",
            Self::Hz250 => "250",
            Self::Hz300 => "300",
            Self::Hz1000 => "1000",
        })
    }
}

/// The text is not a tick that kernels are built with.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it can be 100, 250, 300 or 1000")]
pub struct UnknownTick;

impl FromStr for Tick {
    type Err = UnknownTick;

    fn from_str(text: &str) -> Result<Self, UnknownTick> {
        let mut all = Self::ALL.into_iter();
        all.find(|tick| tick.to_string() == text).ok_or(UnknownTick)
    }
}

/// A kernel that a caller requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelSpec {
    /// The series.
    pub series: Series,
    /// The tick.
    pub tick: Tick,
}

impl Default for KernelSpec {
    /// The newest series, with the tick of distributions.
    fn default() -> Self {
        Self {
            series: Series::V7_2,
            tick: Tick::Hz250,
        }
    }
}

impl fmt::Display for KernelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Linux {} with HZ={}", self.series, self.tick)
    }
}

impl KernelSpec {
    /// The command that builds this kernel.
    #[must_use]
    pub fn build_command(self) -> String {
        let Self { series, tick } = self;
        format!("harness kernel build --version {series} --hz {tick}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_has_one_text_form() {
        for series in Series::ALL {
            assert_eq!(series.to_string().parse(), Ok(series));
        }
        for wrong in ["6.13", "6", "6.1.2", "v6.1", "7.20", ""] {
            assert_eq!(wrong.parse::<Series>(), Err(UnknownSeries), "{wrong}");
        }
    }

    #[test]
    fn a_tick_has_one_text_form() {
        for tick in Tick::ALL {
            assert_eq!(tick.to_string().parse(), Ok(tick));
        }
        for wrong in ["0", "128", "0250", "250 "] {
            assert_eq!(wrong.parse::<Tick>(), Err(UnknownTick), "{wrong}");
        }
    }

    #[test]
    fn the_build_command_names_series_and_tick() {
        assert_eq!(
            KernelSpec::default().build_command(),
            "harness kernel build --version 7.2 --hz 250"
        );
    }
}
