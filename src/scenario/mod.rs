//! The file format: TOML text to checked types, with every error of a file at once.
//!
//! Text goes one way through the modules: `decode` lays the tables of each case over the file's
//! own, on the TOML tree, and reads them into a `draft` of values that are each right by
//! themselves; `check` looks at the case as a whole, `resolve` makes a [`Case`] of it. All of it is
//! pure; only [`load`] opens files.
//!
//! # Why serde does not decode the files
//!
//! serde stops at the first error, knows no place for a missing key, and says of a wrong word only
//! which words there are. The author of a scenario wants all mistakes of a file at once, each
//! underlined, with what to write instead. So the tree of the `toml` crate, which has the place of
//! every value, is read by a small cursor that reports what is wrong and goes on. A value that
//! was wrong is known to be wrong, and checks that need it stay silent: one mistake is one error.
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
//! keepalive, otherwise the server. A step that waits for probes where neither end has keepalive
//! would wait for ever, and is an error.
//!
//! # Two families in one network
//!
//! `topology.family = "dual"` makes two cases of one, its *variants*. Each is a case with one family
//! for its connection, and with [`Stack::Dual`](crate::model::Stack) for its network. So a
//! prediction or a verdict concerns one family alone. A step of one family is in both variants,
//! because both wait for it; [`Step::applies_to`](crate::step::Step::applies_to) decides whose path
//! it changes.

pub mod memory;

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

/// The JSON Schema (draft 2020-12) of a scenario file, for editors, as
/// [`schema`](crate::reference::schema) makes it. It has what a value may be by itself, and how the
/// keys of a table depend on each other; what needs the whole file is for [`parse`].
pub const SCHEMA: &str = include_str!("../../schema/scenario.schema.json");

use std::path::Path;

use toml::de::DeTable;

use crate::file::{Context, Table, syntax};
pub use crate::file::{Diagnostic, FileDiagnostics, diagnostic};
pub use case::{Case, CaseId, Clock, Scenario};
pub(crate) use decode::FILE;
pub use load::{LoadError, LoadErrors, Source, load, load_each, load_from, read};

/// Reads one file's text; `path` is where it comes from, and its stem is the first part of every
/// case's name.
///
/// # Errors
///
/// Everything that is wrong with the text, in its order. A text that is not TOML has its syntax
/// errors reported only, because what the rest of it means is a guess.
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
