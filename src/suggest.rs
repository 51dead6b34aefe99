//! "Did you mean": finds the valid word that is most similar to an invalid one.

/// The candidate most similar to a word, if it is similar enough for a typing error: the
/// Damerau-Levenshtein distance is at most a third of the word's length, or 1.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let allowed = (length / 3).max(1);
    candidates
        .into_iter()
        // A candidate with a larger difference in length is not compared, because the comparison
        // takes time and memory in proportion to the product of both lengths.
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
