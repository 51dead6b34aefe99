//! How numbers are written for a person.

use std::time::Duration;

/// Seconds to the millisecond, without zeros at the end: `4.043s`, `4s`, `0.2s`.
#[must_use]
pub fn seconds(time: Duration) -> String {
    let text = format!("{:.3}", time.as_secs_f64());
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `1 case`, `2 cases`.
#[must_use]
pub fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
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
    fn nouns_agree_with_their_number() {
        assert_eq!(plural(1, "case"), "1 case");
        assert_eq!(plural(0, "case"), "0 cases");
    }
}
