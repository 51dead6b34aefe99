//! Repeated keys of a TOML text: a scan of the parser's events, because a text with a repeated key
//! has no valid tree.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};
use toml_parser::{Source, Span};

/// The nesting limit of the `toml` parser.
const DEEPEST: u32 = 80;

/// For the offset of each repeated key: the byte range of the same key's first occurrence in the
/// same table.
pub(crate) fn repeated(text: &str) -> HashMap<usize, Range<usize>> {
    let source = Source::new(text);
    let tokens = source.lex().into_vec();
    let mut events: Vec<Event> = Vec::new();
    let mut guarded = RecursionGuard::new(&mut events, DEEPEST);
    parse_document(&tokens, &mut guarded, &mut ());
    let mut tables = Tables::default();
    for event in &events {
        match event.kind() {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => tables.enter_root(),
            EventKind::StdTableClose => tables.enter(tables.last),
            EventKind::ArrayTableClose => tables.enter_element(),
            EventKind::InlineTableOpen => tables.enter_inline(),
            EventKind::InlineTableClose => tables.leave_inline(),
            EventKind::KeySep => tables.parent = tables.last,
            EventKind::KeyValSep => tables.parent = tables.current(),
            EventKind::SimpleKey => {
                let mut key = String::new();
                if let Some(raw) = source.get(event) {
                    raw.decode_key(&mut key, &mut ());
                }
                tables.key(key, place(event.span()));
            }
            _ => {}
        }
    }
    tables.repeated
}

fn place(span: Span) -> Range<usize> {
    span.start()..span.end()
}

/// The tables of the text, by number; the root table is 0.
#[derive(Default)]
struct Tables {
    /// For a key of a table: the table below it, and the byte range of its first occurrence.
    below: HashMap<(usize, String), (usize, Range<usize>)>,
    count: usize,
    /// A stack: the table of the last header, and the open inline tables.
    open: Vec<usize>,
    /// The table that contains the next part of a dotted key.
    parent: usize,
    /// The table below the last part.
    last: usize,
    /// The last part, and the table that contains it.
    part: (usize, String),
    repeated: HashMap<usize, Range<usize>>,
}

impl Tables {
    fn fresh(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    fn current(&self) -> usize {
        self.open.last().copied().unwrap_or_default()
    }

    fn key(&mut self, key: String, place: Range<usize>) {
        let fresh = self.fresh();
        self.part = (self.parent, key);
        self.last = match self.below.entry(self.part.clone()) {
            Entry::Vacant(new) => new.insert((fresh, place)).0,
            Entry::Occupied(known) => {
                let (table, first) = known.get();
                self.repeated.insert(place.start, first.clone());
                *table
            }
        };
    }

    fn enter_root(&mut self) {
        self.open.clear();
        self.parent = 0;
    }

    fn enter(&mut self, table: usize) {
        self.open = vec![table];
        self.parent = table;
    }

    /// Each `[[header]]` begins a new table.
    fn enter_element(&mut self) {
        let fresh = self.fresh();
        if let Some((table, _)) = self.below.get_mut(&self.part) {
            *table = fresh;
        }
        self.enter(fresh);
    }

    fn enter_inline(&mut self) {
        let fresh = self.fresh();
        self.open.push(fresh);
        self.parent = fresh;
    }

    fn leave_inline(&mut self) {
        self.open.pop();
        self.parent = self.current();
    }
}

#[cfg(test)]
mod tests {
    /// Pairs of the line of a repeated key and the line of its first occurrence.
    fn repeated(text: &str) -> Vec<(usize, usize)> {
        let line = |place: usize| 1 + text[..place].matches('\n').count();
        let repeated = super::repeated(text).into_iter();
        let mut lines: Vec<_> = repeated
            .map(|(place, first)| (line(place), line(first.start)))
            .collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn a_key_is_the_same_in_the_same_table_only() {
        assert_eq!(repeated("a = 1\nb = 2\n\"a\" = 3"), [(3, 1)]);
        assert_eq!(repeated("a = 1\n[t]\na = 1\nb.a = 1\nc = { a = 1 }"), []);
        assert_eq!(repeated("[t]\nb.a = 1\nb.a = 2"), [(3, 2), (3, 2)]);
        assert_eq!(
            repeated("c = [{ a = 1 }, { a = 2 }]\nd = { a = 1,\na = 2 }"),
            [(3, 2)]
        );
    }

    #[test]
    fn headers_name_tables() {
        assert_eq!(repeated("[a.c]\n[b.c]\n[a.c]"), [(3, 1), (3, 1)]);
        assert_eq!(repeated("[[s]]\na = 1\n[[s]]\na = 2"), [(3, 1)]);
        assert_eq!(repeated("[[s]]\n[s.t]\na = 1\na = 2"), [(2, 1), (4, 3)]);
    }
}
