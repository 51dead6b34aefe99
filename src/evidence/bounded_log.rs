//! A log of bounded size. It keeps its beginning and its end, because the beginning of a case
//! contains its faults and the end contains the outcome.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The items of a log that were kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Excerpt<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// The number of items that were discarded.
    pub(crate) cut: u64,
    /// The index of the first kept item after the discarded ones.
    pub(crate) cut_before: usize,
}

impl<T> Default for Excerpt<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            cut: 0,
            cut_before: 0,
        }
    }
}

/// Keeps the first and the last items that are added.
#[derive(Debug, Clone)]
pub(crate) struct BoundedLog<T> {
    half: usize,
    first: Vec<T>,
    last: VecDeque<T>,
    cut: u64,
}

impl<T> BoundedLog<T> {
    /// Creates a log that keeps `half` items from the beginning and `half` from the end.
    #[must_use]
    pub(crate) fn new(half: usize) -> Self {
        Self {
            half,
            first: Vec::new(),
            last: VecDeque::new(),
            cut: 0,
        }
    }

    /// Adds an item. Discards an item from the middle if the log is full.
    pub(crate) fn push(&mut self, item: T) {
        if self.first.len() < self.half {
            self.first.push(item);
            return;
        }
        if self.last.len() == self.half {
            self.last.pop_front();
            self.cut += 1;
        }
        self.last.push_back(item);
    }

    /// Returns the last item.
    #[must_use]
    pub(crate) fn last(&self) -> Option<&T> {
        self.last.back().or(self.first.last())
    }

    /// Returns the items that were kept.
    #[must_use]
    pub(crate) fn finish(self) -> Excerpt<T> {
        let mut items = self.first;
        let cut_before = items.len();
        items.extend(self.last);
        Excerpt {
            items,
            cut: self.cut,
            cut_before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_cut_and_counted() {
        let mut log = BoundedLog::new(2);
        for item in 0..3 {
            log.push(item);
        }
        assert_eq!(log.last(), Some(&2));
        for item in 3..10 {
            log.push(item);
        }
        let kept = log.finish();
        assert_eq!(
            (kept.items, kept.cut, kept.cut_before),
            (vec![0, 1, 8, 9], 6, 2)
        );
    }

    #[test]
    fn a_short_log_is_kept_whole() {
        let mut log = BoundedLog::new(2);
        log.push('a');
        let kept = log.finish();
        assert_eq!((kept.items, kept.cut), (vec!['a'], 0));
    }
}
