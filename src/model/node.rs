//! The name of a machine.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The maximum length of a name: the width of a lane in the timeline, and more than sufficient for
/// sixteen machines.
const LONGEST: usize = 12;

/// The name of a machine in the topology. Each machine is a network namespace.
///
/// It is not a `String`, because steps, evidence and reports copy it by value, and because four of
/// the names are constants of the program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node([u8; LONGEST]);

impl Node {
    /// The host that opens the connection. Every topology has it.
    pub const CLIENT: Self = Self::known("client");
    /// The host that accepts the connection. Every topology has it.
    pub const SERVER: Self = Self::known("server");
    /// The bridge of the preset `switched`.
    pub(crate) const SWITCH: Self = Self::known("switch");
    /// The router between the two subnets of the preset `routed`.
    pub const ROUTER: Self = Self::known("router");

    const fn known(name: &str) -> Self {
        let (name, mut bytes, mut at) = (name.as_bytes(), [0; LONGEST], 0);
        while at < name.len() {
            bytes[at] = name[at];
            at += 1;
        }
        Self(bytes)
    }

    /// The machine with this name; `None` if the name is invalid. A valid name has at most twelve
    /// characters: a lower-case letter, then lower-case letters, digits and hyphens.
    #[must_use]
    pub(crate) fn named(name: &str) -> Option<Self> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        (begins && name.len() <= LONGEST && name.chars().all(valid)).then(|| Self::known(name))
    }

    /// The name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        let length = self.0.iter().take_while(|byte| **byte != 0).count();
        // The bytes are always ASCII.
        std::str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

impl Node {
    /// The name for use in a sentence: the four names that are English words get an article.
    #[must_use]
    pub(crate) fn the(self) -> String {
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
        let unknown = || serde::de::Error::custom(format!("`{name}` is not a machine name"));
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
