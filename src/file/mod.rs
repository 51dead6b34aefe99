//! Reading of a TOML file: its tree, the byte ranges of its values, and all of its errors at once.
//!
//! [`Table`] and [`Value`] are a cursor over the tree of the `toml` crate. Each [`Key`] has one
//! description: values are read by it, and the JSON Schema and the reference are generated from it.
//! An invalid value is reported once ([`Context`]), and the checks that need it are skipped.

mod context;
mod cursor;
pub mod diagnostic;
mod elsewhere;
mod key;
mod keys;
mod layers;
pub(crate) mod quantity;
mod shape;
pub(crate) mod syntax;

pub(crate) use context::{At, Context, Given, Reported};
pub(crate) use cursor::{Table, Value};
pub use diagnostic::{Diagnostic, FileDiagnostics};
pub(crate) use key::{
    Key, Part, boolean, duration, end, end_word, machine, named, node, percent, share,
    tracking_timeout,
};
pub(crate) use layers::{Layer, Layers};
pub(crate) use quantity::{Problem, when};
pub(crate) use shape::{Describe, Description, Form, List, Names, Relation, Shape, TableKind};

pub(crate) use crate::suggest::{alternatives, nearest};
