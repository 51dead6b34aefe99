//! The shapes of values and the tables of keys. The JSON Schema and the reference are generated
//! from them.

use std::fmt;

use crate::model::Family;
use crate::suggest::alternatives;

/// The description of a key, independent of the type of its values.
pub(crate) struct Description {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) is_required: bool,
    pub(crate) form: Form,
}

/// The values that a key accepts.
pub(crate) enum Form {
    Words(Vec<&'static str>),
    Shape(Shape),
}

/// A key with its description, independent of the type of its values.
pub(crate) trait Describe: Sync {
    fn describe(&self) -> Description;
}

/// The shape of a value.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// `"client"` or `"server"`.
    End,
    /// The name of a machine.
    Machine,
    /// A duration such as `"1.5s"`.
    Duration,
    /// A duration of whole seconds, from 1 s to this number.
    Seconds(u64),
    /// An integer, both limits included.
    Integer(u64, u64),
    /// A boolean.
    Boolean,
    /// `true`.
    True,
    /// A string that is not blank.
    Text,
    /// A string that is not empty.
    Payload,
    /// The name of a case, with the maximum number of its characters.
    CaseName(usize),
    /// A share such as `"30%"`, from 1% to this percentage.
    Share(u8),
    /// A number, or a range of numbers.
    Count,
    /// A window of time such as `"4s..4.5s"`.
    Window,
    /// The name of an errno.
    Errno,
    /// `"succeeds"`, or the name of an errno.
    Write,
    /// A number of probes and their event, such as `"2 probes answered"`.
    When,
    /// The value of a sysctl: an integer or a string.
    SysctlValue,
    /// One of these words.
    OneOf(fn() -> Vec<String>),
    /// A list.
    List(List),
    /// One value, or a list of different values.
    OneOrMore(&'static Shape),
    /// A table whose keys are names.
    Map(Names, &'static Shape),
    /// A table of keys.
    Table(&'static TableKind),
    /// A `do` word.
    Step,
    /// The tables of steps.
    Steps,
    /// A list of tables of this kind, with the maximum number of tables.
    Tables(&'static TableKind, usize),
}

/// A list: the shape of its elements, the limits of its length, and whether the elements differ.
#[derive(Clone, Copy)]
pub(crate) struct List {
    pub(crate) of: &'static Shape,
    pub(crate) least: usize,
    pub(crate) most: Option<usize>,
    pub(crate) differ: bool,
}

/// The kind of names that a table has as keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// Machines besides the client and the server.
    Machines,
    /// Sysctls of a network namespace: these names and name prefixes. A prefix ends in `.`, `_` or
    /// `-`.
    Sysctls(&'static [&'static str]),
    /// Counters of the kernel.
    Counters,
    /// ICMP messages of a family.
    Messages(Family),
}

/// A table with its keys.
pub(crate) struct TableKind {
    /// The name of its definition in the JSON Schema; `None` if the schema has it inline.
    pub(crate) name: Option<&'static str>,
    /// One sentence for the reference.
    pub(crate) about: &'static str,
    /// The keys, in the order of the reference.
    pub(crate) keys: &'static [&'static dyn Describe],
    /// The constraints between the keys.
    pub(crate) relations: &'static [Relation],
}

impl TableKind {
    /// The names of the keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.describe().name)
    }
}

/// A constraint between the keys of a table.
#[derive(Clone, Copy)]
pub(crate) enum Relation {
    /// At least one of these keys is given.
    Any(&'static [&'static str]),
    /// Exactly one of these keys is given.
    One(&'static [&'static str]),
    /// If the first key is given, all of the others are given.
    Needs(&'static str, &'static [&'static str]),
    /// If the first key is given, at least one of the others is given.
    NeedsOne(&'static str, &'static [&'static str]),
    /// If one of the first keys is given, none of the second keys is given.
    Excludes(&'static [&'static str], &'static [&'static str]),
    /// `key` is given only if the key `beside` has one of these words.
    Only {
        key: &'static str,
        beside: &'static str,
        words: &'static [&'static str],
        /// These words also require `key`.
        is_required: bool,
    },
    /// If the first key has this word, none of the other keys is given.
    Never(&'static str, &'static str, &'static [&'static str]),
    /// If the first key is absent, the value of the second key has this shape.
    Without(&'static str, &'static str, &'static Shape),
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("`\"client\"` or `\"server\"`"),
            Self::Machine => f.write_str("the name of a machine"),
            Self::Duration => f.write_str("a duration, `\"1.5s\"`"),
            Self::Seconds(most) => {
                write!(f, "a duration of whole seconds, `\"1s\"` to `\"{most}s\"`")
            }
            Self::Integer(min, u64::MAX) => write!(f, "an integer, {min} or more"),
            Self::Integer(min, max) => write!(f, "an integer, {min} to {max}"),
            Self::Boolean => f.write_str("`true` or `false`"),
            Self::True => f.write_str("`true`"),
            Self::Text | Self::Payload => f.write_str("a string"),
            Self::CaseName(most) => {
                write!(
                    f,
                    "a name of at most {most} lower-case letters, digits and hyphens"
                )
            }
            Self::Share(most) => write!(f, "a share, `\"1%\"` to `\"{most}%\"`"),
            Self::Count => f.write_str("a count: `3`, `\"2..4\"` or `\"3..\"`"),
            Self::Window => f.write_str("a window, both ends included: `\"4s..4.5s\"`"),
            Self::Errno => f.write_str("the name of an errno, `\"ETIMEDOUT\"`"),
            Self::Write => f.write_str("`\"succeeds\"`, or the name of an errno"),
            Self::When => {
                f.write_str("a number of probes, `\"2 probes answered\"` or `\"1 probe sent\"`")
            }
            Self::SysctlValue => f.write_str("an integer or a string"),
            Self::OneOf(words) => {
                let words: Vec<String> =
                    words().iter().map(|word| format!("`\"{word}\"`")).collect();
                f.write_str(&words.join(", "))
            }
            Self::List(list) => write!(f, "a list; each element: {}", list.of),
            Self::OneOrMore(one) => write!(f, "{one}; or a list of them"),
            Self::Map(names, value) => write!(f, "{{ {names} = {value} }}"),
            Self::Table(kind) => match kind.name {
                Some(name) => write!(f, "[`{name}`](#table-{name})"),
                None => {
                    let keys: Vec<String> = kind.names().map(|key| format!("`{key}`")).collect();
                    write!(f, "a table: {}", keys.join(", "))
                }
            },
            Self::Step => f.write_str("the name of a step"),
            Self::Steps => f.write_str("[steps](#steps)"),
            Self::Tables(kind, most) => {
                write!(f, "at most {most} tables: {}", Self::Table(kind))
            }
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machines => "machine",
            Self::Sysctls(_) => "\"sysctl\"",
            Self::Counters => "\"counter\"",
            Self::Messages(_) => "message",
        })
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(keys) => write!(f, "At least one of {} is given.", alternatives(keys, "and")),
            Self::One(keys) => write!(f, "Exactly one of {} is given.", alternatives(keys, "and")),
            Self::Needs(key, others) => write!(f, "`{key}` needs {}.", alternatives(others, "and")),
            Self::NeedsOne(key, others) => {
                write!(f, "`{key}` needs {}.", alternatives(others, "or"))
            }
            Self::Excludes(keys, others) => {
                write!(
                    f,
                    "{} excludes {}.",
                    alternatives(keys, "or"),
                    alternatives(others, "and")
                )
            }
            Self::Only {
                key,
                beside,
                words,
                is_required,
            } => {
                let words: Vec<String> = words
                    .iter()
                    .map(|word| format!("`{beside} = \"{word}\"`"))
                    .collect();
                let words = words.join(", ");
                match is_required {
                    true => write!(
                        f,
                        "`{key}` is valid only with {words}, and is required there."
                    ),
                    false => write!(f, "`{key}` is valid only with {words}."),
                }
            }
            Self::Never(key, word, others) => write!(
                f,
                "`{key} = \"{word}\"` excludes {}.",
                alternatives(others, "and")
            ),
            Self::Without(absent, key, shape) => {
                write!(f, "Without `{absent}`, `{key}` is {shape}.")
            }
        }
    }
}
