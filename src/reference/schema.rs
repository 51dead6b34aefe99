//! The JSON Schema of scenario files.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::file::{Describe, Description, Form, List, Names, Relation, Shape, TableKind};
use crate::model::{ErrnoName, Family, icmp_names};
use crate::scenario::FILE;
use crate::step;

const DURATION: &str = r"^\d+(\.\d+)?(ns|us|ms|s|m|h|d)$";
const MACHINE: &str = "^[a-z][a-z0-9-]{0,11}$";

/// Returns the JSON Schema (draft 2020-12) of a scenario file, the content of
/// `schema/scenario.schema.json`.
#[must_use]
pub fn schema() -> String {
    let mut definitions = Definitions::default();
    let mut schema = definitions.table(&FILE);
    let shapes = [
        (
            "duration",
            json!({ "description": "One number and one unit: ns, us, ms, s, m, h, d. At most 365d.", "type": "string", "pattern": DURATION }),
        ),
        (
            "count",
            json!({ "description": "A number, or a range: \"2..4\", \"3..\".", "oneOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": r"^\d+\.\.\d*$" }] }),
        ),
        (
            "end",
            json!({ "description": "One end of the connection.", "enum": ["client", "server"] }),
        ),
        (
            "machine",
            json!({ "description": "A machine of the topology, by its name.", "type": "string", "pattern": MACHINE }),
        ),
        (
            "errno",
            json!({ "description": "The name of an errno.", "enum": errnos() }),
        ),
    ];
    let mut all = definitions.0;
    all.extend(shapes.map(|(name, shape)| (name.to_owned(), shape)));
    for (key, value) in [
        (
            "$schema",
            json!("https://json-schema.org/draft/2020-12/schema"),
        ),
        (
            "$id",
            json!("https://deadpeer.invalid/scenario.schema.json"),
        ),
        ("title", json!("deadpeer scenario")),
        ("$defs", json!(all)),
    ] {
        schema.insert(key.to_owned(), value);
    }
    format!("{:#}\n", Value::Object(schema))
}

/// The schemas of tables and steps, by their names.
#[derive(Default)]
struct Definitions(BTreeMap<String, Value>);

impl Definitions {
    fn table(&mut self, kind: &TableKind) -> Map<String, Value> {
        let keys: Vec<Description> = kind.keys.iter().map(|key| key.describe()).collect();
        self.object(kind.about, &keys, kind.relations)
    }

    fn object(
        &mut self,
        about: &str,
        keys: &[Description],
        relations: &[Relation],
    ) -> Map<String, Value> {
        let properties: Map<String, Value> = keys
            .iter()
            .map(|key| (key.name.to_owned(), self.key(key)))
            .collect();
        let required = keys.iter().filter(|key| key.is_required);
        let required: Vec<&str> = required.map(|key| key.name).collect();
        let relations: Vec<Value> = relations.iter().map(|one| self.relation(one)).collect();
        let mut object = Map::new();
        object.insert("description".to_owned(), json!(about));
        object.insert("type".to_owned(), json!("object"));
        object.insert("additionalProperties".to_owned(), json!(false));
        object.insert("properties".to_owned(), json!(properties));
        if !required.is_empty() {
            object.insert("required".to_owned(), json!(required));
        }
        if !relations.is_empty() {
            object.insert("allOf".to_owned(), json!(relations));
        }
        object
    }

    fn key(&mut self, key: &Description) -> Value {
        let mut schema = match &key.form {
            Form::Words(words) => json!({ "enum": words }),
            Form::Shape(shape) => self.shape(shape),
        };
        if let Value::Object(schema) = &mut schema {
            schema.insert("description".to_owned(), json!(key.about));
        }
        schema
    }

    fn shape(&mut self, shape: &Shape) -> Value {
        match shape {
            Shape::End => definition("end"),
            Shape::Machine => definition("machine"),
            Shape::Duration | Shape::Seconds(_) => definition("duration"),
            Shape::Count => definition("count"),
            Shape::Errno => definition("errno"),
            Shape::Integer(least, u64::MAX) => json!({ "type": "integer", "minimum": least }),
            Shape::Integer(least, most) => {
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            Shape::Boolean => json!({ "type": "boolean" }),
            Shape::True => json!({ "const": true }),
            Shape::Text => text(r"\S"),
            Shape::Payload => json!({ "type": "string", "minLength": 1 }),
            Shape::CaseName(most) => {
                json!({ "type": "string", "pattern": "^[a-z0-9-]+$", "maxLength": most })
            }
            Shape::Share(100) => text(r"^([1-9]\d?|100)%$"),
            Shape::Share(_) => text(r"^[1-9]\d?%$"),
            Shape::Window => text(r"^.+\.\..+$"),
            Shape::Write => json!({ "anyOf": [{ "const": "succeeds" }, definition("errno")] }),
            Shape::When => text(r"^[1-9]\d* probes? (sent|answered)$"),
            Shape::SysctlValue => {
                json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, text(r"\S")] })
            }
            Shape::OneOf(words) => json!({ "enum": words() }),
            Shape::List(list) => self.list(list),
            Shape::OneOrMore(one) => {
                let one = self.shape(one);
                json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "uniqueItems": true }] })
            }
            Shape::Map(names, value) => self.map(*names, value),
            Shape::Table(kind) => self.named(kind),
            Shape::Step => {
                json!({ "enum": step::ROWS.iter().map(|row| row.kind.word).collect::<Vec<_>>() })
            }
            Shape::Steps => {
                self.steps();
                json!({ "type": "array", "items": definition("step") })
            }
            Shape::Tables(kind, most) => {
                let items = self.named(kind);
                json!({ "type": "array", "items": items, "minItems": 1, "maxItems": most })
            }
        }
    }

    /// Returns the schema of a table: a reference to its definition, or the schema itself if the
    /// table has no name.
    fn named(&mut self, kind: &TableKind) -> Value {
        let Some(name) = kind.name else {
            return Value::Object(self.table(kind));
        };
        if !self.0.contains_key(name) {
            let table = self.table(kind);
            self.0.insert(name.to_owned(), Value::Object(table));
        }
        definition(name)
    }

    fn list(&mut self, list: &List) -> Value {
        let mut schema = json!({
            "type": "array",
            "items": self.shape(list.of),
            "minItems": list.least,
            "uniqueItems": list.differ,
        });
        if let (Some(most), Value::Object(schema)) = (list.most, &mut schema) {
            schema.insert("maxItems".to_owned(), json!(most));
        }
        schema
    }

    fn map(&mut self, names: Names, value: &Shape) -> Value {
        let names = match names {
            Names::Machines => {
                json!({ "pattern": MACHINE, "not": { "enum": ["client", "server"] } })
            }
            Names::Sysctls(own) => json!({ "pattern": sysctls(own) }),
            Names::Counters => {
                json!({ "pattern": "^([A-Za-z0-9]+:[A-Za-z0-9]+|[A-Za-z0-9]*6[A-Za-z0-9]*)$" })
            }
            Names::Messages(family) => {
                let known = icmp_names(family == Family::Ipv6).iter();
                let known: Vec<&str> = known.map(|(name, ..)| *name).collect();
                json!({ "anyOf": [{ "enum": known }, { "pattern": r"^\d{1,3}/\d{1,3}$" }] })
            }
        };
        json!({ "type": "object", "propertyNames": names, "additionalProperties": self.shape(value) })
    }

    fn steps(&mut self) {
        let mut all = Vec::new();
        for kind in step::ROWS.iter().map(|row| row.kind) {
            let own = kind.keys.iter().copied();
            let of_family = kind.of_family.then_some(step::OF_FAMILY);
            let keys = own.chain(of_family).chain(step::COMMON.iter().copied());
            let keys: Vec<Description> = keys.map(Describe::describe).collect();
            let relations = [step::RELATIONS, kind.relations].concat();
            let mut schema = self.object(kind.about, &keys, &relations);
            if let Some(word) = schema
                .get_mut("properties")
                .and_then(|all| all.get_mut("do"))
            {
                *word = json!({ "const": kind.word, "description": kind.about });
            }
            let name = format!("step-{}", kind.word);
            all.push(definition(&name));
            self.0.insert(name, Value::Object(schema));
        }
        let about = "One action on the connection or on its network.";
        let step = json!({ "description": about, "oneOf": all });
        self.0.insert("step".to_owned(), step);
    }

    fn relation(&mut self, relation: &Relation) -> Value {
        match relation {
            Relation::Any(keys) => any(keys),
            Relation::One(keys) => json!({ "oneOf": required(keys) }),
            Relation::Needs(key, others) => json!({ "dependentRequired": { *key: others } }),
            Relation::NeedsOne(key, others) => {
                json!({ "if": { "required": [key] }, "then": any(others) })
            }
            Relation::Excludes(keys, others) => {
                json!({ "not": { "allOf": [any(keys), any(others)] } })
            }
            Relation::Only {
                key,
                beside,
                words,
                is_required,
            } => {
                let needed: &[&str] = if *is_required { &[key] } else { &[] };
                json!({
                    "if": { "properties": { *beside: { "enum": words } }, "required": [beside] },
                    "then": { "required": needed },
                    "else": { "not": { "required": [key] } },
                })
            }
            Relation::Never(key, word, others) => json!({
                "if": { "properties": { *key: { "const": word } }, "required": [key] },
                "then": { "not": any(others) },
            }),
            Relation::Without(absent, key, shape) => json!({
                "if": { "not": { "required": [absent] } },
                "then": { "properties": { *key: self.shape(shape) } },
            }),
        }
    }
}

fn definition(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn required(keys: &[&str]) -> Vec<Value> {
    keys.iter()
        .map(|key| json!({ "required": [key] }))
        .collect()
}

fn any(keys: &[&str]) -> Value {
    json!({ "anyOf": required(keys) })
}

fn errnos() -> Vec<String> {
    ErrnoName::all().map(|errno| errno.to_string()).collect()
}

/// Returns a pattern for the sysctls that begin with one of the prefixes, or are one of the full
/// names.
fn sysctls(own: &[&str]) -> String {
    let word = "[A-Za-z0-9_-]+";
    let names = own.iter().map(|own| {
        let escaped = own.replace('.', r"\.");
        match own.ends_with(['.', '_', '-']) {
            true => format!(r"{escaped}{word}(\.{word})*"),
            false => escaped,
        }
    });
    format!("^({})$", names.collect::<Vec<_>>().join("|"))
}
