//! Overlaid tables: the table of a case over the table of the file. For each key, the upper table
//! wins.

use std::ops::Range;

use super::context::{Context, Given, Reported};
use super::cursor::{Table, Value};
use super::key::Key;
use super::shape::TableKind;

/// Tables of the same kind, which are read as one table.
pub(crate) struct Layers<'t> {
    /// The uppermost table first.
    layers: Vec<Layer<'t>>,
}

/// One of the overlaid tables.
#[derive(Clone)]
pub(crate) struct Layer<'t> {
    /// `None` if the table is absent, or if another type is in its place.
    table: Option<Table<'t>>,
    /// Set if the table has an unknown key, or if another type is in its place. The author may have
    /// meant an absent key by it, so an absent key counts as invalid and not as absent.
    error: Option<Reported>,
}

impl<'t> Layer<'t> {
    /// The layer of a table; `known` is the result of its check for unknown keys.
    pub(crate) fn new(table: Table<'t>, known: Result<(), Reported>) -> Self {
        Self {
            table: Some(table),
            error: known.err(),
        }
    }

    /// The table below a key of this table.
    fn inside(&self, key: &'static str, kind: &'static TableKind, cx: &mut Context) -> Self {
        let value = self.table.clone().and_then(|mut table| table.ask(key));
        match value {
            None => Self {
                table: None,
                error: self.error,
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
                error: Some(reported),
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
        match (given, self.error) {
            (Ok(None), Some(error)) => Err(error),
            (given, _) => given,
        }
    }
}

impl<'t> Layers<'t> {
    /// The first layer is the uppermost.
    pub(crate) fn new(layers: Vec<Layer<'t>>) -> Self {
        Self { layers }
    }

    /// The tables below a key, as layers in the same order.
    pub(crate) fn inside(
        &self,
        key: &'static str,
        kind: &'static TableKind,
        cx: &mut Context,
    ) -> Self {
        let layers = self.layers.iter();
        Self::new(layers.map(|layer| layer.inside(key, kind, cx)).collect())
    }

    /// Each layer alone, the uppermost first.
    pub(crate) fn each(&self) -> impl Iterator<Item = Self> {
        let layers = self.layers.iter();
        layers.map(|layer| Self::new(vec![layer.clone()]))
    }

    /// The result of `read` for the uppermost table for which it is not absent.
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

    /// The value of a key without its span.
    pub(crate) fn value<T: Clone>(
        &mut self,
        key: &Key<T>,
        cx: &mut Context,
    ) -> Result<Option<T>, Reported> {
        Ok(self.get(key, cx)?.map(|at| at.value))
    }

    /// Reports the uppermost table that is empty.
    pub(crate) fn not_empty(&self, help: &str, cx: &mut Context) -> Result<(), Reported> {
        let tables = self.layers.iter().filter_map(|layer| layer.table.as_ref());
        let mut empty = tables.filter(|table| table.is_empty());
        empty
            .next()
            .map_or(Ok(()), |table| Err(table.empty(help, cx)))
    }

    /// The byte range of the uppermost table.
    pub(crate) fn span(&self) -> Option<Range<usize>> {
        self.layers.first()?.table.as_ref()?.span()
    }
}
