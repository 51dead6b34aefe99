//! A list that stops to grow: its beginning and its end are kept, because a case begins with what
//! it is about and ends with what came of it.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was kept of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Excerpt<T> {
    /// In order.
    pub items: Vec<T>,
    /// How many were not kept.
    pub cut: u64,
    /// Before which of those that were kept they came.
    pub cut_before: usize,
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

/// Keeps the first and the last of what it is given.
#[derive(Debug, Clone)]
pub(crate) struct BoundedLog<T> {
    half: usize,
    first: Vec<T>,
    last: VecDeque<T>,
    cut: u64,
}

impl<T> BoundedLog<T> {
    /// Keeps so many at the beginning, and as many at the end.
    #[must_use]
    pub(crate) fn new(half: usize) -> Self {
        Self {
            half,
            first: Vec::new(),
            last: VecDeque::new(),
            cut: 0,
        }
    }

    /// Takes one more.
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

    /// The last one.
    #[must_use]
    pub(crate) fn last(&self) -> Option<&T> {
        self.last.back().or(self.first.last())
    }

    /// What was kept.
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
        let mut keeper = BoundedLog::new(2);
        for item in 0..3 {
            keeper.push(item);
        }
        assert_eq!(keeper.last(), Some(&2));
        for item in 3..10 {
            keeper.push(item);
        }
        let kept = keeper.finish();
        assert_eq!(
            (kept.items, kept.cut, kept.cut_before),
            (vec![0, 1, 8, 9], 6, 2)
        );
    }

    #[test]
    fn what_is_short_is_kept_whole() {
        let mut keeper = BoundedLog::new(2);
        keeper.push('a');
        let kept = keeper.finish();
        assert_eq!((kept.items, kept.cut), (vec!['a'], 0));
    }
}
