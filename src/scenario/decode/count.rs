//! Keys for expected counts.

use crate::file::{Context, Key, Reported, Shape, Value, quantity};
use crate::model::CountRange;

/// A key with a count.
pub(super) const fn count(name: &'static str, about: &'static str) -> Key<CountRange> {
    Key::value(name, Shape::Count, a_count, about)
}

/// Reads an integer, or a range in quotes.
pub(super) fn a_count(value: &Value, cx: &mut Context) -> Result<CountRange, Reported> {
    if value.is_integer() {
        let exactly = |n| CountRange {
            min: n,
            max: Some(n),
        };
        return value.integer(0..=u64::MAX, |n| Some(exactly(n)), cx);
    }
    let what = "an integer or a range such as `\"2..4\"`";
    value.quantity(what, quantity::count_range, cx)
}
