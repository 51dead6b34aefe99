//! Tables laid over each other: a case's over the file's own. What the upper one gives wins, key by
//! key.

use std::ops::Range;

use super::context::{Context, Given, Reported};
use super::cursor::{Table, Value};
use super::key::Key;
use super::shape::TableKind;

/// Tables of the same kind, read as one.
pub(crate) struct Layers<'t> {
    /// The uppermost first.
    layers: Vec<Layer<'t>>,
}

/// One of them.
#[derive(Clone)]
pub(crate) struct Layer<'t> {
    /// `None` where there is none, or something else in its place.
    table: Option<Table<'t>>,
    /// What is absent may be what something wrong was meant to be, so it counts as wrong rather
    /// than as not given.
    doubt: Option<Reported>,
}

impl<'t> Layer<'t> {
    /// The layer of a table, of which all is known.
    pub(crate) fn new(table: Table<'t>, known: Result<(), Reported>) -> Self {
        Self {
            table: Some(table),
            doubt: known.err(),
        }
    }

    /// The table below a key of this one.
    fn inside(&self, key: &'static str, kind: &'static TableKind, cx: &mut Context) -> Self {
        let value = self.table.clone().and_then(|mut table| table.ask(key));
        match value {
            None => Self {
                table: None,
                doubt: self.doubt,
            },
            Some(value) => Self::read(&value, kind, cx),
        }
    }

    fn read(value: &Value<'t>, kind: &'static TableKind, cx: &mut Context) -> Self {
        match value.table(cx) {
            Ok(table) => {
                let table = table.of(kind);
                let known = table.unknown(cx);
                Self::new(table, known)
            }
            Err(reported) => Self {
                table: None,
                doubt: Some(reported),
            },
        }
    }

    fn find<T>(
        &mut self,
        cx: &mut Context,
        read: &mut impl FnMut(&mut Table<'t>, &mut Context) -> Given<T>,
    ) -> Given<T> {
        let given = match &mut self.table {
            Some(table) => read(table, cx),
            None => Ok(None),
        };
        match (given, self.doubt) {
            (Ok(None), Some(doubt)) => Err(doubt),
            (given, _) => given,
        }
    }
}

impl<'t> Layers<'t> {
    /// The uppermost is the first.
    pub(crate) fn new(layers: Vec<Layer<'t>>) -> Self {
        Self { layers }
    }

    /// The tables below a key, laid over each other in turn.
    pub(crate) fn inside(
        &self,
        key: &'static str,
        kind: &'static TableKind,
        cx: &mut Context,
    ) -> Self {
        let layers = self.layers.iter();
        Self::new(layers.map(|layer| layer.inside(key, kind, cx)).collect())
    }

    /// Each by itself, the uppermost first.
    pub(crate) fn each(&self) -> impl Iterator<Item = Self> {
        let layers = self.layers.iter();
        layers.map(|layer| Self::new(vec![layer.clone()]))
    }

    /// What the uppermost table gives that gives anything.
    pub(crate) fn find<T>(
        &mut self,
        cx: &mut Context,
        mut read: impl FnMut(&mut Table<'t>, &mut Context) -> Given<T>,
    ) -> Given<T> {
        let mut layers = self.layers.iter_mut();
        let given = layers.find_map(|layer| layer.find(cx, &mut read).transpose());
        given.transpose()
    }

    /// The value of a key, if any table has it.
    pub(crate) fn get<T: Clone>(&mut self, key: &Key<T>, cx: &mut Context) -> Given<T> {
        self.find(cx, |table, cx| key.get(table, cx))
    }

    /// The same without its place.
    pub(crate) fn value<T: Clone>(
        &mut self,
        key: &Key<T>,
        cx: &mut Context,
    ) -> Result<Option<T>, Reported> {
        Ok(self.get(key, cx)?.map(|at| at.value))
    }

    /// Refuses a table that has nothing.
    pub(crate) fn not_empty(&self, help: &str, cx: &mut Context) -> Result<(), Reported> {
        let tables = self.layers.iter().filter_map(|layer| layer.table.as_ref());
        let mut empty = tables.filter(|table| table.is_empty());
        empty
            .next()
            .map_or(Ok(()), |table| Err(table.empty(help, cx)))
    }

    /// Where the uppermost table is.
    pub(crate) fn span(&self) -> Option<Range<usize>> {
        self.layers.first()?.table.as_ref()?.span()
    }
}
