//! The name of a machine.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// As long as a name may be: a lane of the timeline, and more than enough for sixteen machines.
const LONGEST: usize = 12;

/// A machine in the topology, by its name; each is a network namespace of its own.
///
/// *Why not a `String`?* Steps, evidence and reports pass it around by value, and four of the names
/// are known to the program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node([u8; LONGEST]);

impl Node {
    /// Opens the connection; in every topology.
    pub const CLIENT: Self = Self::known("client");
    /// Accepts the connection; in every topology.
    pub const SERVER: Self = Self::known("server");
    /// The bridge of the preset `switched`.
    pub(crate) const SWITCH: Self = Self::known("switch");
    /// Forwards between the two subnets of the preset `routed`.
    pub const ROUTER: Self = Self::known("router");

    const fn known(name: &str) -> Self {
        let (name, mut bytes, mut at) = (name.as_bytes(), [0; LONGEST], 0);
        while at < name.len() {
            bytes[at] = name[at];
            at += 1;
        }
        Self(bytes)
    }

    /// The machine of this name; `None` where that is no name: a letter, then letters, digits and
    /// hyphens, all lower case, twelve at most.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        (begins && name.len() <= LONGEST && name.chars().all(valid)).then(|| Self::known(name))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        let length = self.0.iter().take_while(|byte| **byte != 0).count();
        // Nothing but ASCII gets in.
        std::str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

impl Node {
    /// Its name in a sentence: what is a word of English there has an article.
    #[must_use]
    pub fn the(self) -> String {
        match self {
            Self::CLIENT | Self::SERVER | Self::ROUTER | Self::SWITCH => format!("the {self}"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || serde::de::Error::custom(format!("`{name}` is no name of a machine"));
        Self::named(&name).ok_or_else(unknown)
    }
}

impl JsonSchema for Node {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Node".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A machine in the topology, by its name.",
            "type": "string",
            "pattern": "^[a-z][a-z0-9-]{0,11}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Node;

    #[test]
    fn a_name_is_a_short_word_in_lower_case() {
        for name in ["r1", "a", "core-switch2", "client"] {
            assert_eq!(Node::named(name).unwrap().to_string(), name);
        }
        for name in ["", "R1", "1r", "-r", "core-switch-2", "r_1", "é", "r 1"] {
            assert_eq!(Node::named(name), None, "{name}");
        }
        assert_eq!(Node::named("router"), Some(Node::ROUTER));
    }

    #[test]
    fn it_is_data_under_its_name() {
        let written = serde_json::to_string(&Node::SERVER).unwrap();
        assert_eq!(written, "\"server\"");
        assert_eq!(
            serde_json::from_str::<Node>(&written).unwrap(),
            Node::SERVER
        );
        assert!(serde_json::from_str::<Node>("\"No Name\"").is_err());
    }
}
