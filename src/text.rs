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

/// How far a guest's clock went in how long: `2h 13m 15s of kernel time, 61500 times as fast`.
#[must_use]
pub fn warp(guest: Duration, wall: Duration) -> String {
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
    fn nouns_agree_with_their_number() {
        assert_eq!(plural(1, "case"), "1 case");
        assert_eq!(plural(0, "case"), "0 cases");
    }
}
