//! The keys of a table. One description of each key serves for reading it, for the help of errors,
//! for the JSON Schema and for the reference.

use super::context::{At, Context, Given, Reported};
use super::cursor::{Table, Value};
use super::diagnostic::Diagnostic;
use std::ops::Range;
use std::time::Duration;

use super::quantity::{self, Problem};
use super::shape::{Describe, Description, Form, Shape};
use crate::model::{End, Node, Percent, TrackingSeconds};

/// A key whose values have the type `T`.
pub(crate) struct Key<T: 'static> {
    name: &'static str,
    reader: Reader<T>,
    about: &'static str,
    presence: Presence,
}

/// The way to read a value.
enum Reader<T: 'static> {
    /// The value is one of these words.
    Words(&'static [(&'static str, T)]),
    /// A function reads the value.
    Function(Shape, fn(&Value, &mut Context) -> Result<T, Reported>),
}

/// Whether a table must have the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// The key may be absent.
    Optional,
    /// Some values of other keys require the key. The text completes "add ..." in the error.
    Sometimes(&'static str),
    /// The key is required. The text completes "add ..." in the error.
    Required(&'static str),
}

impl<T> Key<T> {
    /// A key whose value is one of these words.
    pub(crate) const fn word(
        name: &'static str,
        words: &'static [(&'static str, T)],
        about: &'static str,
    ) -> Self {
        Self {
            name,
            reader: Reader::Words(words),
            about,
            presence: Presence::Optional,
        }
    }

    /// A key whose value is read by a function.
    pub(crate) const fn value(
        name: &'static str,
        shape: Shape,
        read: fn(&Value, &mut Context) -> Result<T, Reported>,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            reader: Reader::Function(shape, read),
            about,
            presence: Presence::Optional,
        }
    }

    /// Makes the key required. `example` completes "add ..." in the error for a missing key.
    pub(crate) const fn required(self, example: &'static str) -> Self {
        Self {
            presence: Presence::Required(example),
            ..self
        }
    }

    /// Makes the key required beside some values of other keys; [`Key::need`] is called there.
    /// `example` completes "add ..." in the error for a missing key.
    pub(crate) const fn sometimes(self, example: &'static str) -> Self {
        Self {
            presence: Presence::Sometimes(example),
            ..self
        }
    }

    /// The name of the key.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: Clone> Key<T> {
    /// The value, if the table has the key.
    pub(crate) fn get(&self, table: &mut Table, cx: &mut Context) -> Given<T> {
        table.optional(self.name, cx, |value, cx| self.read(value, cx))
    }

    /// The value; a missing key is an error.
    pub(crate) fn need(&self, table: &mut Table, cx: &mut Context) -> Result<At<T>, Reported> {
        let example = match self.presence {
            Presence::Required(example) | Presence::Sometimes(example) => example,
            Presence::Optional => self.about,
        };
        table.required(self.name, example, cx, |value, cx| self.read(value, cx))
    }

    fn read(&self, value: &Value, cx: &mut Context) -> Result<T, Reported> {
        match self.reader {
            Reader::Words(words) => value.word(words, cx),
            Reader::Function(_, read) => read(value, cx),
        }
    }
}

impl<T: Sync> Describe for Key<T> {
    fn describe(&self) -> Description {
        Description {
            name: self.name,
            about: self.about,
            is_required: matches!(self.presence, Presence::Required(_)),
            form: match self.reader {
                Reader::Words(words) => Form::Words(words.iter().map(|(word, _)| *word).collect()),
                Reader::Function(shape, _) => Form::Shape(shape),
            },
        }
    }
}

/// The description of a key that other code reads: overlaid tables, and lists of tables.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) about: &'static str,
}

impl Describe for Part {
    fn describe(&self) -> Description {
        Description {
            name: self.name,
            about: self.about,
            is_required: false,
            form: Form::Shape(self.shape),
        }
    }
}

/// The words of a file for the ends.
pub(crate) const ENDS: [(&str, End); 2] = [("client", End::Client), ("server", End::Server)];

/// A key that names an end.
pub(crate) const fn end(name: &'static str, about: &'static str) -> Key<End> {
    Key::value(name, Shape::End, end_word, about)
}

/// A key that names a machine.
pub(crate) const fn machine(name: &'static str, about: &'static str) -> Key<Node> {
    Key::value(name, Shape::Machine, node, about)
}

/// A key with a duration.
pub(crate) const fn duration(name: &'static str, about: &'static str) -> Key<Duration> {
    Key::value(name, Shape::Duration, |value, cx| value.duration(cx), about)
}

/// A key with a share of packets.
pub(crate) const fn share(name: &'static str, about: &'static str) -> Key<Percent> {
    Key::value(
        name,
        Shape::Share(100),
        |value, cx| value.quantity("a string such as `\"30%\"`", quantity::share, cx),
        about,
    )
}

/// A key with `true` or `false`.
pub(crate) const fn boolean(name: &'static str, about: &'static str) -> Key<bool> {
    Key::value(name, Shape::Boolean, |value, cx| value.boolean(cx), about)
}

/// Reads the name of a machine.
pub(crate) fn node(value: &Value, cx: &mut Context) -> Result<Node, Reported> {
    match value.as_str() {
        Some(name) => named(name, value.span(), cx),
        None => Err(value.expected("the name of a machine", None, cx)),
    }
}

/// The machine of this name; an error is reported at `span` if the name is not valid.
pub(crate) fn named(name: &str, span: Range<usize>, cx: &mut Context) -> Result<Node, Reported> {
    Node::named(name).ok_or_else(|| {
        let wrong = Diagnostic::new(span, format!("`{name}` is not a name of a machine"));
        let help = "a name has at most 12 characters: lower-case letters, digits and hyphens, of which the first is a letter";
        cx.report(wrong.help(help))
    })
}

/// Reads an end, `"client"` or `"server"`.
pub(crate) fn end_word(value: &Value, cx: &mut Context) -> Result<End, Reported> {
    value.word(&ENDS, cx)
}

/// Reads a share from 1 to 99 percent.
pub(crate) fn percent(value: &Value, cx: &mut Context) -> Result<u8, Reported> {
    value.quantity("a string such as `\"30%\"`", quantity::percent, cx)
}

/// Reads a timeout of connection tracking, in whole seconds.
pub(crate) fn tracking_timeout(
    value: &Value,
    cx: &mut Context,
) -> Result<TrackingSeconds, Reported> {
    let timeout = value.duration(cx)?;
    let seconds = (timeout.subsec_nanos() == 0)
        .then(|| TrackingSeconds::new(timeout.as_secs()))
        .flatten();
    seconds.ok_or_else(|| {
        let message = format!(
            "`{}` is not a timeout that the kernel accepts",
            value.path()
        );
        let help = format!(
            "the kernel accepts whole seconds, 1s to {}s (24.8 days)",
            TrackingSeconds::MAX
        );
        value.wrong(Problem::new(message, help), cx)
    })
}
