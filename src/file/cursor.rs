//! A cursor that reads TOML values key by key, and reports an error for each invalid value.
//!
//! A table records the keys that its reader looks up. At the end, every other key is an unknown
//! key, and the recorded keys are the suggestions in its error.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Diagnostic;
use super::elsewhere;
use super::shape::TableKind;
use super::{At, Context, Given, Reported};
use super::{Problem, quantity};
use crate::suggest::{alternatives, nearest};
use crate::text::{printable, seconds};

/// The maximum number of elements of a list.
const LONGEST_LIST: usize = 1000;
/// The maximum number of entries of a table whose keys are names: counters, sysctls, ICMP messages.
const MOST_ENTRIES: usize = 128;

/// A value and the path of its key.
pub(crate) struct Value<'t> {
    /// The dotted path from the top of the file, for messages.
    path: String,
    node: &'t Spanned<DeValue<'t>>,
}

/// A table that is being read.
#[derive(Clone)]
pub(crate) struct Table<'t> {
    path: String,
    span: Option<Range<usize>>,
    entries: &'t DeTable<'t>,
    allowed: Vec<&'static str>,
    /// The required keys that the table does not have, each with the error that was reported.
    missing: Vec<(&'static str, Diagnostic)>,
    /// The description of the table, where it has one.
    kind: Option<&'static TableKind>,
}

impl<'t> Table<'t> {
    /// The root table of a file.
    pub(crate) fn root(entries: &'t DeTable<'t>) -> Self {
        Self {
            path: String::new(),
            span: None,
            entries,
            allowed: Vec::new(),
            missing: Vec::new(),
            kind: None,
        }
    }

    /// Allows all keys of a table of this kind.
    pub(crate) fn of(mut self, kind: &'static TableKind) -> Self {
        kind.names().for_each(|key| self.allow(key));
        self.kind = Some(kind);
        self
    }

    /// The byte range of the table's header, key or braces; `None` for the root table.
    pub(crate) fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reports that the table is empty.
    pub(crate) fn empty(&self, help: &str, cx: &mut Context) -> Reported {
        let message = format!("`{}` is empty", self.path);
        cx.report(Diagnostic::new(self.span(), message).help(help))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Allows a key without reading its value.
    pub(crate) fn allow(&mut self, key: &'static str) {
        if !self.allowed.contains(&key) {
            self.allowed.push(key);
        }
    }

    /// The byte range of the value of a key.
    pub(crate) fn place_of(&self, key: &str) -> Option<Range<usize>> {
        self.entries.get(key).map(Spanned::span)
    }

    /// The byte range that an error about a whole step points to: the value of `action`, else of
    /// `do`, else the table.
    pub(crate) fn place(&self) -> Range<usize> {
        let place = self
            .place_of("action")
            .or_else(|| self.place_of("do"))
            .or_else(|| self.span());
        place.unwrap_or_default()
    }

    /// The keys, each with the byte range of its value.
    pub(crate) fn places(&self) -> Vec<(String, Range<usize>)> {
        let entries = self.entries.iter();
        entries
            .map(|(key, value)| (key.get_ref().to_string(), value.span()))
            .collect()
    }

    /// Allows a key, and returns its value if the table has it.
    pub(crate) fn ask(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.allow(key);
        let node = self.entries.get(key)?;
        let path = self.path_of(key);
        Some(Value { path, node })
    }

    /// Allows a key, and reads its value if the table has it.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        cx: &mut Context,
        read: impl FnOnce(&Value<'t>, &mut Context) -> Result<T, Reported>,
    ) -> Given<T> {
        let Some(found) = self.ask(key) else {
            return Ok(None);
        };
        let value = read(&found, cx)?;
        let span = found.span();
        Ok(Some(At { value, span }))
    }

    /// Allows a key and reads its value. A missing key is an error, whose help is "add `example`".
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        cx: &mut Context,
        read: impl FnOnce(&Value<'t>, &mut Context) -> Result<T, Reported>,
    ) -> Result<At<T>, Reported> {
        if let Some(found) = self.optional(key, cx, read)? {
            return Ok(found);
        }
        let message = match self.path.as_str() {
            "" => format!("the file has no `{key}`"),
            path => format!("`{path}` has no `{key}`"),
        };
        let missing = Diagnostic::new(self.span(), message).help(format!("add {example}"));
        self.missing.push((key, missing.clone()));
        Err(cx.report(missing))
    }

    /// Reports every key that is not allowed.
    ///
    /// A caller that uses the result treats a table with an unknown key as invalid. No check then
    /// reports that the key which the author meant is missing.
    pub(crate) fn finish(self, cx: &mut Context) -> Result<(), Reported> {
        self.unknown(cx)
    }

    /// Does the same as [`Table::finish`], but keeps the table for further reading. The tables that
    /// cases share are read again for each case and give the same errors, so the first result is
    /// stored and returned again.
    pub(crate) fn unknown(&self, cx: &mut Context) -> Result<(), Reported> {
        let place = std::ptr::from_ref(self.entries).addr();
        if let Some(known) = cx.checked(place) {
            return known;
        }
        let result = self.unknown_keys(cx);
        cx.check(place, result);
        result
    }

    fn unknown_keys(&self, cx: &mut Context) -> Result<(), Reported> {
        let (misplaced, mut result) = self.keepalive_in_parts(cx);
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            if self.allowed.contains(&name) || misplaced.contains(&name) {
                continue;
            }
            let message = match self.path.as_str() {
                "" => format!("unknown key `{name}`"),
                path => format!("unknown key `{name}` in `{path}`"),
            };
            let meant = nearest(name, self.allowed.iter().copied());
            if let Some((_, missing)) = self.missing.iter().find(|(key, _)| Some(*key) == meant) {
                cx.withdraw(missing);
            }
            let unknown = Diagnostic::new(key.span(), message).help(self.instead_of(name, meant));
            result = Err(cx.report(unknown));
        }
        result
    }

    /// Reports all unknown keys that belong into `keepalive` in one error, and returns them.
    fn keepalive_in_parts(&self, cx: &mut Context) -> (Vec<&'t str>, Result<(), Reported>) {
        let mut parts: Vec<(&str, Range<usize>, Option<String>)> = Vec::new();
        for (key, node) in self.entries {
            let name: &str = key.get_ref();
            let value = match node.get_ref() {
                DeValue::Integer(integer) => Some(integer.to_string()),
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            };
            let alone = [(name, None)];
            if !self.allowed.contains(&name) && elsewhere::keepalive(&self.path, &alone).is_some() {
                parts.push((name, key.span(), value));
            }
        }
        parts.sort_by_key(|(_, span, _)| span.start);
        let names: Vec<&str> = parts.iter().map(|(name, ..)| *name).collect();
        let given: Vec<(&str, Option<String>)> = parts
            .iter()
            .map(|(name, _, value)| (*name, value.clone()))
            .collect();
        let help = elsewhere::keepalive(&self.path, &given);
        let mut places = parts.into_iter().map(|(_, span, _)| span);
        let Some(first) = places.next() else {
            return (names, Ok(()));
        };
        let plural = if names.len() > 1 { "s" } else { "" };
        let mut message = format!("unknown key{plural} {}", alternatives(&names, "and"));
        if !self.path.is_empty() {
            message = format!("{message} in `{}`", self.path);
        }
        let mut unknown = Diagnostic::new(first, message).maybe_help(help);
        unknown
            .related
            .extend(places.map(|span| (span, String::new())));
        (names, Err(cx.report(unknown)))
    }

    fn instead_of(&self, name: &str, meant: Option<&str>) -> String {
        if let Some(elsewhere) = elsewhere::instead_of(&self.path, name, self.kind) {
            elsewhere
        } else if let Some(meant) = meant {
            format!("did you mean `{meant}`?")
        } else {
            format!("the keys here are {}", alternatives(&self.allowed, "and"))
        }
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

impl<'t> Value<'t> {
    pub(crate) fn span(&self) -> Range<usize> {
        self.node.span()
    }

    /// The memory address of the value's node in the TOML tree, as an identity.
    pub(crate) fn node(&self) -> usize {
        std::ptr::from_ref(self.node).addr()
    }

    /// The keys of a table with their values; empty if the value is not a table. Nothing is checked
    /// here: the reader of the table checks its keys.
    pub(crate) fn keys(&self) -> Vec<(At<&'t str>, Value<'t>)> {
        let DeValue::Table(table) = self.node.get_ref() else {
            return Vec::new();
        };
        let entries = table.iter().map(|(key, node)| {
            let (value, span): (&str, _) = (key.get_ref(), key.span());
            let path = value.to_owned();
            (At { value, span }, Value { path, node })
        });
        entries.collect()
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Reports that the value has the wrong type. `what` is the expected type, in words.
    pub(crate) fn expected(&self, what: &str, help: Option<String>, cx: &mut Context) -> Reported {
        let found = match self.node.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a decimal number",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("`{}` must be {what}, not {found}", self.path);
        cx.report(Diagnostic::new(self.span(), message).maybe_help(help))
    }

    /// An error about a duration that is out of range, without a help.
    pub(crate) fn cannot_be(&self, time: Duration) -> Diagnostic {
        let message = format!("`{}` cannot be {}", self.path, seconds(time));
        Diagnostic::new(self.span(), message)
    }

    /// Reports this problem at the value.
    pub(crate) fn wrong(&self, problem: Problem, cx: &mut Context) -> Reported {
        cx.report(Diagnostic::new(self.span(), problem.message).maybe_help(problem.help))
    }

    pub(crate) fn as_str(&self) -> Option<&'t str> {
        self.node.get_ref().as_str()
    }

    /// An integer as text.
    pub(crate) fn as_integer(&self) -> Option<String> {
        self.node.get_ref().as_integer().map(ToString::to_string)
    }

    pub(crate) fn is_integer(&self) -> bool {
        self.node.get_ref().is_integer()
    }

    pub(crate) fn table(&self, cx: &mut Context) -> Result<Table<'t>, Reported> {
        self.table_or(None, cx)
    }

    /// The value as a table. `help` is the help of the error if it is not one.
    pub(crate) fn table_or(
        &self,
        help: Option<&str>,
        cx: &mut Context,
    ) -> Result<Table<'t>, Reported> {
        match self.node.get_ref() {
            DeValue::Table(entries) => Ok(Table {
                path: self.path.clone(),
                span: Some(self.span()),
                entries,
                allowed: Vec::new(),
                missing: Vec::new(),
                kind: None,
            }),
            _ => Err(self.expected("a table", help.map(str::to_owned), cx)),
        }
    }

    /// The elements of `[[key]]` tables.
    pub(crate) fn tables(&self, cx: &mut Context) -> Result<Vec<Value<'t>>, Reported> {
        self.elements().ok_or_else(|| {
            let help = format!("write each one as `[[{}]]`", self.path);
            self.expected("a list of tables", Some(help), cx)
        })
    }

    pub(crate) fn list(&self, of: &str, cx: &mut Context) -> Result<Vec<Value<'t>>, Reported> {
        let Some(elements) = self.elements() else {
            return Err(self.expected(&format!("a list of {of}"), None, cx));
        };
        self.at_most(LONGEST_LIST, elements.len(), "elements", cx)?;
        Ok(elements)
    }

    /// Reports an error if `count` is greater than `most`; `what` names the counted items.
    pub(crate) fn at_most(
        &self,
        most: usize,
        count: usize,
        what: &str,
        cx: &mut Context,
    ) -> Result<(), Reported> {
        if count <= most {
            return Ok(());
        }
        let problem = Problem::new(
            format!("`{}` has {count} {what}", self.path),
            format!("it can have {most} at most"),
        );
        Err(self.wrong(problem, cx))
    }

    /// The entries of a table whose keys are names of the author's choice.
    pub(crate) fn entries(
        &self,
        cx: &mut Context,
    ) -> Result<Vec<(At<&'t str>, Value<'t>)>, Reported> {
        self.entries_or(None, cx)
    }

    /// The same; `help` is the help of the error if the value is not a table.
    pub(crate) fn entries_or(
        &self,
        help: Option<&str>,
        cx: &mut Context,
    ) -> Result<Vec<(At<&'t str>, Value<'t>)>, Reported> {
        let table = self.table_or(help, cx)?;
        let count = table.entries.len();
        self.at_most(MOST_ENTRIES, count, "entries", cx)?;
        let entries = table.entries.iter().map(|(key, node)| {
            let (value, span): (&str, _) = (key.get_ref(), key.span());
            let path = table.path_of(value);
            (At { value, span }, Value { path, node })
        });
        Ok(entries.collect())
    }

    fn elements(&self) -> Option<Vec<Value<'t>>> {
        let element = |node| Value {
            path: self.path.clone(),
            node,
        };
        let array = self.node.get_ref().as_array()?;
        Some(array.iter().map(element).collect())
    }

    /// A string that is not blank, with its control characters made printable.
    pub(crate) fn text(&self, cx: &mut Context) -> Result<String, Reported> {
        match self.as_str() {
            Some(text) if !text.trim().is_empty() => Ok(printable(text).into_owned()),
            Some(_) => {
                let message = format!("`{}` is empty", self.path);
                Err(cx.report(Diagnostic::new(self.span(), message).help("write some text")))
            }
            None => Err(self.expected("a string", None, cx)),
        }
    }

    /// An integer within a range, converted to the caller's type.
    pub(crate) fn integer<T>(
        &self,
        range: RangeInclusive<u64>,
        convert: impl Fn(u64) -> Option<T>,
        cx: &mut Context,
    ) -> Result<T, Reported> {
        let DeValue::Integer(integer) = self.node.get_ref() else {
            let help = self.as_str().and_then(|text| {
                if text.parse::<u64>().is_ok() {
                    return Some(format!("write {text} without quotes"));
                }
                let counts_bytes = ["bytes", "buffer"]
                    .iter()
                    .any(|end| self.path.ends_with(end));
                let bytes = counts_bytes.then(|| quantity::bytes(text)).flatten()?;
                Some(format!("write the number of bytes: `{bytes}`"))
            });
            return Err(self.expected("an integer", help, cx));
        };
        let value = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value = value.filter(|value| range.contains(value));
        value.and_then(convert).ok_or_else(|| {
            let message = format!("`{}` cannot be {integer}", self.path);
            let help = match (*range.start(), *range.end()) {
                (min, u64::MAX) => format!("it can be {min} or more"),
                (min, max) => format!("it can be {min} to {max}"),
            };
            cx.report(Diagnostic::new(self.span(), message).help(help))
        })
    }

    pub(crate) fn boolean(&self, cx: &mut Context) -> Result<bool, Reported> {
        match self.node.get_ref() {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.expected("`true` or `false`", None, cx)),
        }
    }

    /// A string that one of the functions in [`quantity`] parses.
    pub(crate) fn quantity<T>(
        &self,
        what: &str,
        read: impl FnOnce(&str) -> Result<T, Problem>,
        cx: &mut Context,
    ) -> Result<T, Reported> {
        match self.as_str() {
            Some(text) => read(text).map_err(|problem| self.wrong(problem, cx)),
            None => Err(self.expected(what, None, cx)),
        }
    }

    /// A duration. The help for a number without a unit suggests seconds.
    pub(crate) fn duration(&self, cx: &mut Context) -> Result<Duration, Reported> {
        self.duration_in(quantity::Unit::Seconds, cx)
    }

    /// A duration. The help for a number without a unit suggests `unit`.
    pub(crate) fn duration_in(
        &self,
        unit: quantity::Unit,
        cx: &mut Context,
    ) -> Result<Duration, Reported> {
        let number = match self.node.get_ref() {
            DeValue::Integer(integer) => Some(integer.to_string()),
            DeValue::Float(float) => Some(float.to_string()),
            _ => None,
        };
        if let Some(number) = number {
            let help = format!("write it in quotes and with its unit: {}", unit.of(&number));
            return Err(self.expected("a duration", Some(help), cx));
        }
        let read = |text: &str| quantity::duration_in(text, unit);
        self.quantity("a duration such as `\"2.5s\"`", read, cx)
    }

    /// The value that belongs to one of these words.
    pub(crate) fn word<T: Clone>(
        &self,
        words: &[(&str, T)],
        cx: &mut Context,
    ) -> Result<T, Reported> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let valid = alternatives(&names, "or");
        let Some(text) = self.as_str() else {
            return Err(self.expected(&valid, None, cx));
        };
        if let Some((_, value)) = words.iter().find(|(name, _)| *name == text) {
            return Ok(value.clone());
        }
        let path = &self.path;
        let elsewhere = if path.ends_with("step.do") {
            elsewhere::step(text)
        } else if path.ends_with("topology.preset") {
            elsewhere::preset(text)
        } else {
            None
        };
        let help = match (nearest(text, names), elsewhere) {
            (Some(meant), _) => format!("did you mean `{meant}`? it can be {valid}"),
            (None, Some(help)) => help.to_owned(),
            (None, None) => format!("it can be {valid}"),
        };
        let message = format!("`{text}` is not a value of `{path}`");
        Err(cx.report(Diagnostic::new(self.span(), message).help(help)))
    }

    /// One of these values, by the name that its `Display` gives.
    pub(crate) fn one_of<T: Clone + ToString>(
        &self,
        values: &[T],
        cx: &mut Context,
    ) -> Result<T, Reported> {
        let names: Vec<String> = values.iter().map(T::to_string).collect();
        let names = names.iter().map(String::as_str);
        let words: Vec<(&str, T)> = names.zip(values.iter().cloned()).collect();
        self.word(&words, cx)
    }
}
