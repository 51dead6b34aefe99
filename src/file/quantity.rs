//! Parsers for quantities that a file writes as text: durations, windows, ranges of counts, and the
//! probes that a step waits for.

use std::time::Duration;

use crate::model::{CountRange, Percent, ProbeEvent};

/// The message and the help of an error about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: Some(help.into()),
        }
    }
}

/// Nanoseconds in each unit.
const UNITS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// The longest duration. It is longer than any TCP timer of the kernel (127 probes at 32767 s are
/// 48 days), and short enough that sums of durations do not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

const HOW_TO_WRITE: &str = "write a number and, directly after it, one of the units \
                            ns, us, ms, s, m, h, d: `250ms`, `2.5s`, `2h`";

/// The unit that the author probably means by a number without a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    /// The socket option takes whole seconds, so milliseconds are not suggested.
    WholeSeconds,
    /// The socket option takes milliseconds.
    Milliseconds,
}

impl Unit {
    /// The number with its unit, for a help; with both units where both are plausible.
    pub(crate) fn of(self, number: &str) -> String {
        let in_seconds = format!("`\"{number}s\"`");
        let in_milliseconds = format!("`\"{number}ms\"`");
        let Ok(count) = number.parse::<u64>() else {
            return in_seconds;
        };
        let is_large = count >= 1000;
        match self {
            Self::Seconds if is_large => {
                format!("{in_seconds}, or {in_milliseconds} if it is in milliseconds")
            }
            Self::Seconds | Self::WholeSeconds => in_seconds,
            Self::Milliseconds if is_large && count.is_multiple_of(1000) => {
                format!("`\"{}s\"` or {in_milliseconds}", count / 1000)
            }
            Self::Milliseconds if is_large => in_milliseconds,
            Self::Milliseconds => {
                format!("{in_milliseconds}, or {in_seconds} if it is in seconds")
            }
        }
    }
}

/// Parses a number, which may have decimals, directly followed by a unit. The result is exact to
/// the nanosecond.
pub(crate) fn duration(text: &str) -> Result<Duration, Problem> {
    duration_in(text, Unit::Seconds)
}

/// The same; `alone` is the unit that the help suggests for a number without a unit.
pub(crate) fn duration_in(text: &str, alone: Unit) -> Result<Duration, Problem> {
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    if text.starts_with('-') {
        let message = format!("`{text}` is negative; a duration cannot be negative");
        return Err(Problem::new(message, HOW_TO_WRITE));
    }
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || decimals.is_empty() || decimals.contains('.') {
        let message = format!("`{text}` is not a duration");
        return Err(Problem::new(message, HOW_TO_WRITE));
    }
    let unit = nanoseconds_in(text, (number, unit), alone)?;
    let Some(fraction) = fraction_of(decimals, unit) else {
        let message = format!("`{text}` is finer than a nanosecond");
        return Err(Problem::new(message, "write fewer decimals"));
    };
    whole
        .parse::<u128>()
        .ok()
        .and_then(|whole| whole.checked_mul(unit)?.checked_add(fraction))
        .filter(|nanoseconds| *nanoseconds <= LONGEST.as_nanos())
        .and_then(|nanoseconds| u64::try_from(nanoseconds).ok())
        .map(Duration::from_nanos)
        .ok_or_else(|| {
            let message = format!("`{text}` is longer than 365d, the longest duration");
            Problem::new(message, "write a shorter duration")
        })
}

fn nanoseconds_in(text: &str, (number, unit): (&str, &str), alone: Unit) -> Result<u128, Problem> {
    let known = |unit: &str| UNITS.iter().find(|(name, _)| *name == unit);
    if let Some((_, nanoseconds)) = known(unit) {
        return Ok(*nanoseconds);
    }
    if unit.is_empty() {
        let message = format!("`{text}` has no unit");
        let help = format!("write {}; the units are {}", alone.of(text), units());
        return Err(Problem::new(message, help));
    }
    if known(unit.trim_start()).is_some() {
        let message = format!("`{text}` has a space before its unit");
        let help = format!("write `{number}{}`", unit.trim_start());
        return Err(Problem::new(message, help));
    }
    if unit.contains(|c: char| c.is_ascii_digit()) {
        let message = format!("`{text}` is not one number and one unit");
        let help = "write the sum in one unit: `90s`, not `1m30s`";
        return Err(Problem::new(message, help));
    }
    let message = format!("`{text}` has the unknown unit `{unit}`");
    Err(Problem::new(message, format!("the units are {}", units())))
}

fn units() -> String {
    UNITS.map(|(name, _)| name).join(", ")
}

/// `0.decimals` of a unit, in nanoseconds; `None` if that is not a whole number of nanoseconds.
fn fraction_of(decimals: &str, unit: u128) -> Option<u128> {
    let decimals = decimals.trim_end_matches('0');
    if decimals.is_empty() {
        return Some(0);
    }
    // A number of days that is exact to the nanosecond has at most 16 decimals. The bound of 18
    // keeps the arithmetic within 128 bits.
    let digits = u32::try_from(decimals.len())
        .ok()
        .filter(|digits| *digits <= 18)?;
    let scaled = decimals.parse::<u128>().ok()? * unit;
    let divisor = 10_u128.pow(digits);
    scaled.is_multiple_of(divisor).then_some(scaled / divisor)
}

/// The number of bytes of `1kB` or `64KiB`, for a help: a file writes numbers of bytes as integers.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let unit = unit.trim_start().to_ascii_lowercase();
    let factor = match unit.strip_suffix('b').unwrap_or(&unit) {
        "" => 1,
        "k" => 1_000,
        "ki" => 1 << 10,
        "m" => 1_000_000,
        "mi" => 1 << 20,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Parses a share such as `30%`: whole percent, 1 to 100.
pub(crate) fn share(text: &str) -> Result<Percent, Problem> {
    let number = text.strip_suffix('%').and_then(|n| n.parse().ok());
    number.and_then(Percent::new).ok_or_else(|| {
        let message = format!("`{text}` is not a share");
        Problem::new(message, "write a whole percentage from 1% to 100%: `30%`")
    })
}

/// Parses a fraction such as `30%`: whole percent, 1 to 99.
pub(crate) fn percent(text: &str) -> Result<u8, Problem> {
    let number = text.strip_suffix('%').and_then(|n| n.parse().ok());
    number.filter(|n| (1..=99).contains(n)).ok_or_else(|| {
        let message = format!("`{text}` is not a fraction");
        Problem::new(message, "write a whole percentage from 1% to 99%: `30%`")
    })
}

/// Parses a window such as `4s..4.5s`, both ends included.
pub(crate) fn window(text: &str) -> Result<(Duration, Duration), Problem> {
    let how = "write the first and the last time, both included: `4s..4.5s`";
    let Some((from, to)) = text.split_once("..") else {
        return Err(Problem::new(format!("`{text}` is not a window"), how));
    };
    if from.is_empty() || to.is_empty() {
        let message = format!("the window `{text}` is incomplete");
        return Err(Problem::new(message, how));
    }
    let (begin, end) = (duration(from)?, duration(to)?);
    if begin > end {
        let message = format!("the window `{text}` ends before it begins");
        return Err(Problem::new(message, format!("write `{to}..{from}`")));
    }
    Ok((begin, end))
}

/// Parses a range of counts such as `2..4` or `3..`, both ends included.
pub(crate) fn count_range(text: &str) -> Result<CountRange, Problem> {
    let how = "write an integer without quotes, or a range with both ends included: `\"2..4\"`, `\"3..\"`";
    let wrong = || Problem::new(format!("`{text}` is not a range of counts"), how);
    let (min, max) = text.split_once("..").ok_or_else(wrong)?;
    let min: u64 = digits(min).ok_or_else(wrong)?;
    let max = match max {
        "" => None,
        max => Some(digits(max).ok_or_else(wrong)?),
    };
    if let Some(max) = max.filter(|max| *max < min) {
        let message = format!("the range `{text}` ends before it begins");
        return Err(Problem::new(message, format!("write `\"{max}..{min}\"`")));
    }
    Ok(CountRange { min, max })
}

/// Parses the condition of `when`, such as `2 probes answered` or `1 probe sent`.
pub(crate) fn when(text: &str) -> Result<(u32, ProbeEvent), Problem> {
    let how = "write a number of probes and what happened to them: \
               `2 probes answered`, `1 probe sent`";
    let wrong = || Problem::new(format!("`{text}` is not a condition for `when`"), how);
    let words: Vec<&str> = text.split(' ').collect();
    let &[count, "probe" | "probes", what] = words.as_slice() else {
        return Err(wrong());
    };
    let count: u32 = digits(count).ok_or_else(wrong)?;
    if count == 0 {
        let message = format!("`{text}` waits for no probe: the number of probes is at least 1");
        let help = "omit `when` to start the step at once";
        return Err(Problem::new(message, help));
    }
    let what = match what {
        "sent" => ProbeEvent::Sent,
        "answered" => ProbeEvent::Answered,
        _ => return Err(wrong()),
    };
    Ok((count, what))
}

/// Parses a number that consists of digits only: `str::parse` would also allow a sign.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    let only_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Unit, count_range, duration, duration_in, when, window};
    use crate::model::{CountRange, ProbeEvent};
    use std::time::Duration;

    #[test]
    fn durations_are_exact() {
        for (text, nanoseconds) in [
            ("0s", 0),
            ("250ms", 250_000_000),
            ("2.5s", 2_500_000_000),
            ("0.1s", 100_000_000),
            ("1.50m", 90_000_000_000),
            ("2h", 7_200_000_000_000),
            ("7ns", 7),
            ("0.001us", 1),
            ("365d", 365 * 86_400_000_000_000),
        ] {
            assert_eq!(
                duration(text),
                Ok(Duration::from_nanos(nanoseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "s",
            "2",
            "2.s",
            ".5s",
            "1.2.3s",
            "-1s",
            "+1s",
            "2 s",
            "2S",
            "1m30s",
            "1e3s",
            "0.5ns",
            "366d",
            "99999999999999999999999999999999999999999s",
            "0.0000000000000000000000001d",
            "２s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_alone_is_written_with_the_unit_that_is_meant() {
        for (unit, number, written) in [
            (Unit::Seconds, "10", r#"`"10s"`"#),
            (Unit::Seconds, "2.5", r#"`"2.5s"`"#),
            (
                Unit::Seconds,
                "7200",
                r#"`"7200s"`, or `"7200ms"` if it is in milliseconds"#,
            ),
            (Unit::WholeSeconds, "7200", r#"`"7200s"`"#),
            (Unit::Milliseconds, "30000", r#"`"30s"` or `"30000ms"`"#),
            (Unit::Milliseconds, "1500", r#"`"1500ms"`"#),
            (
                Unit::Milliseconds,
                "30",
                r#"`"30ms"`, or `"30s"` if it is in seconds"#,
            ),
        ] {
            assert_eq!(unit.of(number), written);
        }
        let help = duration_in("30000", Unit::Milliseconds).unwrap_err().help;
        assert!(
            help.unwrap()
                .starts_with(r#"write `"30s"` or `"30000ms"`;"#)
        );
    }

    #[test]
    fn windows_have_two_ends_in_order() {
        let expected = (Duration::from_secs(4), Duration::from_millis(4_500));
        assert_eq!(window("4s..4.5s"), Ok(expected));
        assert!(window("4s..4s").is_ok());
        for text in ["4s", "4s..", "..4s", "5s..4s", "4..5s"] {
            assert!(window(text).is_err(), "{text}");
        }
    }

    #[test]
    fn count_ranges_may_be_open_above_only() {
        let range = |min, max| Ok(CountRange { min, max });
        assert_eq!(count_range("2..4"), range(2, Some(4)));
        assert_eq!(count_range("3.."), range(3, None));
        for text in ["3", "..4", "4..2", "a..b", "+1..2", "1...2", ""] {
            assert!(count_range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn steps_wait_for_at_least_one_probe() {
        let what = ProbeEvent::Answered;
        assert_eq!(when("2 probes answered"), Ok((2, what)));
        let what = ProbeEvent::Sent;
        assert_eq!(when("1 probe sent"), Ok((1, what)));
        for text in [
            "0 probes sent",
            "probe sent",
            "2 probes lost",
            "2  probes sent",
            "",
        ] {
            assert!(when(text).is_err(), "{text}");
        }
    }
}
