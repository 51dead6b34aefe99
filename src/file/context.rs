//! What is carried through decoding and checking: the text, and the errors found so far.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::Diagnostic;

/// Proof that an error has been reported; nothing but [`Context::report`] makes one.
///
/// A `Result<T, Reported>` hence never fails in silence, and whoever gets an `Err` knows that there
/// is nothing left to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported(());

/// A value and where the file gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

/// What a file gives for an optional key: nothing, a value, or something wrong that has been
/// reported.
///
/// Checks that need a value which was wrong stay silent, so one mistake is one error.
pub(crate) type Given<T> = Result<Option<At<T>>, Reported>;

/// The text of a file and the errors found in it.
pub(crate) struct Context {
    /// Where the text has a line break.
    breaks: Vec<usize>,
    /// Each with its number in the order in which they were found.
    found: HashMap<Key, (usize, Diagnostic)>,
    /// How many were found, with those that were taken back.
    count: usize,
    /// Those that were taken back.
    withdrawn: HashSet<Key>,
    /// Whether each table has keys that nobody asked for, by its place in memory.
    checked: HashMap<usize, Result<(), Reported>>,
}

/// What two errors differ in: place and message.
type Key = (Option<Range<usize>>, String);

fn key(diagnostic: &Diagnostic) -> Key {
    (diagnostic.span.clone(), diagnostic.message.clone())
}

impl Context {
    pub(crate) fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate();
        let breaks = breaks.filter_map(|(place, byte)| (byte == b'\n').then_some(place));
        Self {
            breaks: breaks.collect(),
            found: HashMap::new(),
            count: 0,
            withdrawn: HashSet::new(),
            checked: HashMap::new(),
        }
    }

    /// Records an error, once: the cases of a file share its parts, so the same one comes up again
    /// for each of them.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) -> Reported {
        let key = key(&diagnostic);
        if self.withdrawn.contains(&key) {
            return Reported(());
        }
        if let Entry::Vacant(new) = self.found.entry(key) {
            new.insert((self.count, diagnostic));
            self.count += 1;
        }
        Reported(())
    }

    /// Takes an error back, for good, in favour of a more precise one, which the caller reports
    /// next.
    pub(crate) fn withdraw(&mut self, diagnostic: &Diagnostic) {
        let key = key(diagnostic);
        self.found.remove(&key);
        self.withdrawn.insert(key);
    }

    /// Whether the table at this place in memory has keys that nobody asked for; `None`: that is
    /// not known yet.
    pub(super) fn checked(&self, place: usize) -> Option<Result<(), Reported>> {
        self.checked.get(&place).copied()
    }

    /// Keeps it.
    pub(super) fn check(&mut self, place: usize, result: Result<(), Reported>) {
        self.checked.insert(place, result);
    }

    /// Line (from 1) of a place in the text.
    pub(crate) fn line(&self, place: &Range<usize>) -> usize {
        1 + self
            .breaks
            .partition_point(|line_break| *line_break < place.start)
    }

    /// The result if nothing was reported, else the errors in the order of the text.
    pub(crate) fn finish<T>(self, result: Result<T, Reported>) -> Result<T, Vec<Diagnostic>> {
        match result {
            Ok(value) if self.found.is_empty() => Ok(value),
            _ => Err(self.into_errors()),
        }
    }

    /// The errors in the order of the text.
    pub(crate) fn into_errors(self) -> Vec<Diagnostic> {
        let mut found: Vec<_> = self.found.into_values().collect();
        let start = |diagnostic: &Diagnostic| diagnostic.span.as_ref().map(|span| span.start);
        found.sort_by_key(|(number, diagnostic)| (start(diagnostic), *number));
        found
            .into_iter()
            .map(|(_, diagnostic)| diagnostic)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Context, Diagnostic};

    #[test]
    fn lines_count_from_one() {
        let cx = Context::new("a\nb\n");
        assert_eq!([cx.line(&(0..1)), cx.line(&(2..3))], [1, 2]);
    }

    #[test]
    fn the_same_error_is_reported_once_and_in_the_order_of_the_text() {
        let mut cx = Context::new("abc");
        cx.report(Diagnostic::new(2..3, "late"));
        cx.report(Diagnostic::new(0..1, "early"));
        cx.report(Diagnostic::new(2..3, "late"));
        let found = cx.finish(Ok(())).unwrap_err();
        let messages: Vec<_> = found.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(messages, ["early", "late"]);
    }
}
