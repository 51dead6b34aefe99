//! The state of decoding and checking: the text, and the errors found so far.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::Diagnostic;

/// Proof that an error has been reported. Only [`Context::report`] creates one.
///
/// A `Result<T, Reported>` therefore never fails without a message, and the receiver of an `Err`
/// reports nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported(());

/// A value and its byte range in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

/// The value of an optional key: absent (`Ok(None)`), valid, or invalid and already reported
/// (`Err`).
///
/// A check that needs an invalid value is skipped, so that one mistake gives one error.
pub(crate) type Given<T> = Result<Option<At<T>>, Reported>;

/// The text of a file and the errors found in it.
pub(crate) struct Context {
    /// The offsets of the line breaks in the text, ascending.
    breaks: Vec<usize>,
    /// The errors, each with its sequence number.
    found: HashMap<Key, (usize, Diagnostic)>,
    /// The number of errors found, including the withdrawn ones: the next sequence number.
    count: usize,
    /// The withdrawn errors.
    withdrawn: HashSet<Key>,
    /// The result of the check for unknown keys, by the memory address of the table.
    checked: HashMap<usize, Result<(), Reported>>,
}

/// The identity of an error: span and message.
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

    /// Records an error, unless it is recorded already: the cases of a file share its tables, so
    /// that each case finds the same error again.
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

    /// Withdraws an error for good: a later report of the same error is ignored too. The caller
    /// then reports a more precise error in its place.
    pub(crate) fn withdraw(&mut self, diagnostic: &Diagnostic) {
        let key = key(diagnostic);
        self.found.remove(&key);
        self.withdrawn.insert(key);
    }

    /// The stored result of the check for unknown keys of the table at this memory address; `None`
    /// if the table has not been checked yet.
    pub(super) fn checked(&self, place: usize) -> Option<Result<(), Reported>> {
        self.checked.get(&place).copied()
    }

    /// Stores that result.
    pub(super) fn check(&mut self, place: usize, result: Result<(), Reported>) {
        self.checked.insert(place, result);
    }

    /// The line (from 1) in which a byte range begins.
    pub(crate) fn line(&self, place: &Range<usize>) -> usize {
        1 + self
            .breaks
            .partition_point(|line_break| *line_break < place.start)
    }

    /// Returns the result if nothing was reported, else the errors in the order of the text.
    pub(crate) fn finish<T>(self, result: Result<T, Reported>) -> Result<T, Vec<Diagnostic>> {
        match result {
            Ok(value) if self.found.is_empty() => Ok(value),
            _ => Err(self.into_errors()),
        }
    }

    /// Returns the errors in the order of the text.
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
