//! Formats numbers, long lines and text from files for output.

use std::borrow::Cow;
use std::time::Duration;

use textwrap::Options;

/// The text with an escape, such as `\u{1b}`, for each character that would control the terminal or
/// hide text. All text from a file, a saved result or a guest passes through this function on
/// input, so that later code needs no such check.
#[must_use]
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(controls) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().map(|c| match c {
        c if controls(c) => c.escape_unicode().to_string(),
        c => c.to_string(),
    });
    Cow::Owned(escaped.collect())
}

/// Whether the character controls a terminal (C0 except line feed and tab, DEL, C1), or changes the
/// order or the visibility of other characters (UAX #9, and characters without width).
#[must_use]
pub fn controls(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{feff}' => true,
        c => c.is_control(),
    }
}

/// Breaks each line at spaces into lines of at most `width` columns. Continuation lines are
/// indented by two columns more than the first one.
#[must_use]
pub(crate) fn fit(text: &str, width: usize) -> String {
    let fit_line = |line: &str| {
        let own = line.len() - line.trim_start_matches(' ').len();
        hang(line, own + 2, width)
    };
    text.lines().map(fit_line).collect::<Vec<_>>().join("\n")
}

/// Breaks the line at spaces into lines of at most `width` columns. Continuation lines are indented
/// by `indent` columns.
#[must_use]
pub(crate) fn hang(line: &str, indent: usize, width: usize) -> String {
    let indent = " ".repeat(indent.min(width / 2));
    textwrap::fill(line, Options::new(width).subsequent_indent(&indent))
}

/// The name in at most `width` columns. A longer name loses its middle: `real-time/progr…ipv6`. The
/// end is kept, because most names differ at their end.
#[must_use]
pub(crate) fn shorten(name: &str, width: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= width {
        return name.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), letters.len() - kept / 2);
    let (head, tail) = (&letters[..head], &letters[tail..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

/// Seconds to the millisecond, without zeros at the end: `4.043s`, `4s`, `0.2s`.
#[must_use]
pub fn seconds(time: Duration) -> String {
    let text = format!("{:.3}", time.as_secs_f64());
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `1 case`, `2 cases`.
#[must_use]
pub(crate) fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The time of a guest and its speed against wall-clock time: `2h 13m 15s of kernel time, 61500
/// times as fast`.
#[must_use]
pub(crate) fn warp(guest: Duration, wall: Duration) -> String {
    let time = if guest < Duration::from_secs(60) {
        seconds(guest)
    } else {
        humantime::format_duration(Duration::from_secs(guest.as_secs())).to_string()
    };
    let times = guest.as_secs_f64() / wall.as_secs_f64().max(f64::EPSILON);
    if times < 10.0 {
        format!("{time} of kernel time, {times:.1} times as fast")
    } else {
        format!("{time} of kernel time, {times:.0} times as fast")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_end_are_left_out() {
        assert_eq!(seconds(Duration::from_millis(4_043)), "4.043s");
        assert_eq!(seconds(Duration::from_secs(7200)), "7200s");
        assert_eq!(seconds(Duration::from_millis(200)), "0.2s");
        assert_eq!(seconds(Duration::ZERO), "0s");
    }

    #[test]
    fn virtual_time_is_told_with_its_speed() {
        let text = |guest, wall| warp(Duration::from_millis(guest), Duration::from_millis(wall));
        assert_eq!(
            text(4_043, 2_021),
            "4.043s of kernel time, 2.0 times as fast"
        );
        assert_eq!(
            text(7_995_392, 130),
            "2h 13m 15s of kernel time, 61503 times as fast"
        );
    }

    #[test]
    fn what_controls_a_terminal_is_escaped() {
        assert_eq!(printable("a\tb\nc é 漢"), "a\tb\nc é 漢");
        assert_eq!(printable("\u{1b}[2J\r\u{9b}x"), "\\u{1b}[2J\\u{d}\\u{9b}x");
        assert_eq!(
            printable("a\u{202e}b\u{2066}\u{200f}"),
            "a\\u{202e}b\\u{2066}\\u{200f}"
        );
        assert_eq!(printable("\u{7f}\u{61c}"), "\\u{7f}\\u{61c}");
    }

    #[test]
    fn a_long_line_is_broken_and_indented() {
        let line = "  from the oracle's rule";
        assert_eq!(fit(line, usize::MAX), line);
        assert_eq!(fit(line, 18), "  from the\n    oracle's rule");
        assert_eq!(fit("no_space_in_it", 8), "no_spa\n  ce_in_\n  it");
        assert_eq!(fit("a b\n  c d", 5), "a b\n  c d");
    }

    #[test]
    fn a_long_name_loses_its_middle() {
        assert_eq!(shorten("night/ipv6", 10), "night/ipv6");
        assert_eq!(shorten("night/alive/ipv6", 10), "night…ipv6");
        assert_eq!(shorten("night/ipv6", 1), "…");
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(plural(1, "case"), "1 case");
        assert_eq!(plural(0, "case"), "0 cases");
    }
}
