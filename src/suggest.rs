//! "Did you mean": the nearest of the words that would have been right.

/// The candidate nearest to a word, if it is near enough to be a slip of the hand.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let allowed = (length / 3).max(1);
    candidates
        .into_iter()
        // What is so much longer or shorter is not compared: that takes time and memory with the
        // product of both lengths.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "`a`, `b` or `c`".
pub(crate) fn alternatives(words: &[&str], joiner: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [init @ .., last] => format!("{} {joiner} {last}", init.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use crate::suggest::{alternatives, nearest};

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        assert_eq!(nearest("idel", ["idle", "time"]), Some("idle"));
        assert_eq!(
            nearest("etimeout", ["ETIME", "ETIMEDOUT"]),
            Some("ETIMEDOUT")
        );
        assert_eq!(nearest("banana", ["idle", "time"]), None);
    }

    #[test]
    fn the_last_word_is_joined_differently() {
        assert_eq!(alternatives(&["a"], "or"), "`a`");
        assert_eq!(alternatives(&["a", "b", "c"], "or"), "`a`, `b` or `c`");
    }
}
