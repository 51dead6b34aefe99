//! The file format: parses TOML text to checked types, and reports all errors of a file at once.
//!
//! The text passes through these modules: `decode` lays the tables of each case over the tables of
//! the file, in the TOML tree, and reads them into a `draft` of values that are each valid by
//! themselves; `check` checks the case as a whole; `resolve` creates a [`Case`] from it. All of
//! them are pure; only [`load`] opens files.
//!
//! # Why serde does not decode the files
//!
//! serde stops at the first error, has no position for a missing key, and for an invalid word only
//! lists the valid words. The author of a scenario needs all errors of a file at once, each
//! underlined, with a suggestion. Therefore a small cursor reads the tree of the `toml` crate,
//! which has the byte range of every value; the cursor reports an error and continues. Invalid
//! values are marked, and the checks that need them are skipped, so that one mistake gives one
//! error.
//!
//! # Example
//!
//! ```
//! use std::path::Path;
//!
//! let text = r#"
//! summary = "A cable is pulled while the connection is idle"
//!
//! [topology]
//! preset = "direct"
//! family = "ipv4"
//!
//! [connection.client]
//! keepalive = { idle = "1s", interval = "1s", probes = 3 }
//!
//! [[step]]
//! do = "cable"
//! at = "server"
//! action = "pull"
//! when = "2 probes answered"
//!
//! [expect.client]
//! error = "ETIMEDOUT"
//! within = "4s..4.5s"
//! "#;
//! let scenario = deadpeer::scenario::parse(Path::new("pulled.toml"), text).unwrap();
//! assert_eq!(scenario.cases[0].id.to_string(), "pulled/ipv4");
//!
//! let text = text.replace("ETIMEDOUT", "ETIMEOUT");
//! let errors = deadpeer::scenario::parse(Path::new("pulled.toml"), &text).unwrap_err();
//! assert_eq!(errors[0].help.as_deref(), Some("did you mean `ETIMEDOUT`?"));
//! ```
//!
//! # Probes that a step waits for
//!
//! `when = "2 probes answered"` counts the probes of the *observed end*: the client if it has
//! keepalive, otherwise the server. If neither end has keepalive, a step that waits for probes
//! would wait for ever, so it is an error.
//!
//! # Two families in one network
//!
//! `topology.family = "dual"` expands one case to two, its *variants*. The connection of each
//! variant has one family, and its network has [`Stack::Dual`](crate::model::Stack). So a
//! prediction or a verdict is about one family. A step for one family is part of both variants,
//! because both wait for it; [`Step::applies_to`](crate::step::Step::applies_to) decides which
//! variant's path it changes.

pub(crate) mod memory;

mod bounds;
mod carried;
mod case;
mod case_error;
mod check;
mod decode;
mod draft;
mod family_check;
mod load;
mod machines;
mod memory_check;
mod resolve;
mod sequence;

/// The JSON Schema (draft 2020-12) of a scenario file, for editors;
/// [`schema`](crate::reference::schema) generates it. It describes the valid values of each key,
/// and the dependencies between the keys of a table. [`parse`] also checks the file as a whole.
pub const SCHEMA: &str = include_str!("../../schema/scenario.schema.json");

use std::path::Path;

use toml::de::DeTable;

use crate::file::{Context, Table, syntax};
pub use crate::file::{Diagnostic, FileDiagnostics, diagnostic};
pub use case::{Case, CaseId, Clock, Scenario};
pub(crate) use decode::FILE;
pub use load::{LoadError, LoadErrors, Source, load, load_each, load_from, read};

/// Parses the text of one file. `path` is the path of the file; its stem is the first part of the
/// name of every case.
///
/// # Errors
///
/// All errors of the text, in the order of the text. For a text that is not TOML, only the syntax
/// errors are reported, because the meaning of the rest would be a guess.
pub fn parse(path: &Path, text: &str) -> Result<Scenario, Vec<Diagnostic>> {
    if text.trim().is_empty() {
        let empty = Diagnostic::new(None, "the file is empty");
        return Err(vec![empty.help("write a scenario, or remove the file")]);
    }
    let mut cx = Context::new(text);
    let (root, syntax_errors) = DeTable::parse_recoverable(text);
    if !syntax_errors.is_empty() {
        syntax::report(text, &syntax_errors, &mut cx);
        return Err(cx.into_errors());
    }
    let draft = decode::file(Table::root(root.get_ref()), &mut cx);
    let scenario = resolve::scenario(path, text, &draft, &mut cx);
    cx.finish(scenario)
}
