//! The reference of scenario files as Markdown.

use std::fmt::Write;

use crate::file::{Describe, Description, Form, Relation, Shape, TableKind};
use crate::scenario::FILE;
use crate::step;

/// Returns the reference, the content of `docs/reference.md`.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Reference of scenario files\n\n\
         All tables and keys of a scenario file. This page is generated from the tables that files are read by: `cargo xtask reference`.\n",
    );
    section(
        &mut page,
        "## The file",
        FILE.about,
        FILE.keys,
        FILE.relations,
    );
    let mut known = Vec::new();
    tables(&mut page, &FILE, &mut known);
    steps(&mut page);
    page
}

/// Writes a section for each table below the keys of a table. The section of a table precedes those
/// of the tables below it.
fn tables(page: &mut String, kind: &TableKind, known: &mut Vec<String>) {
    for key in kind.keys.iter().map(|key| key.describe()) {
        let (Form::Shape(shape), name) = (&key.form, key.name) else {
            continue;
        };
        let Some(inner) = table_of(*shape) else {
            continue;
        };
        let title = match (inner.name, kind.name) {
            (Some(name), _) => format!("## Table `{name}`"),
            (None, Some(outer)) => format!("### Table `{name}` in `{outer}`"),
            (None, None) => format!("### Table `{name}`"),
        };
        if known.contains(&title) {
            continue;
        }
        section(page, &title, inner.about, inner.keys, inner.relations);
        known.push(title);
        tables(page, inner, known);
    }
}

/// Returns the table that a value is or contains, if any.
fn table_of(shape: Shape) -> Option<&'static TableKind> {
    match shape {
        Shape::Table(kind) | Shape::Tables(kind, _) => Some(kind),
        Shape::List(list) => table_of(*list.of),
        Shape::OneOrMore(of) | Shape::Map(_, of) => table_of(*of),
        Shape::End
        | Shape::Machine
        | Shape::Duration
        | Shape::Seconds(_)
        | Shape::Integer(..)
        | Shape::Boolean
        | Shape::True
        | Shape::Text
        | Shape::Payload
        | Shape::CaseName(_)
        | Shape::Share(_)
        | Shape::Count
        | Shape::Window
        | Shape::Errno
        | Shape::Write
        | Shape::When
        | Shape::SysctlValue
        | Shape::OneOf(_)
        | Shape::Step
        | Shape::Steps => None,
    }
}

fn steps(page: &mut String) {
    let about = "Each `[[step]]` runs at once after the previous step, `after` a time, or `when` the observed end (the client if it has \
                 keepalive, else the server) has sent probes or received answers to them. All steps have these keys:";
    section(page, "## Steps", about, step::COMMON, step::RELATIONS);
    page.push_str("\nSteps that change state that each family has separately also have:\n\n");
    table(page, &[step::OF_FAMILY]);
    for kind in step::ROWS.iter().map(|row| row.kind) {
        let mut about = kind.about.to_owned();
        if kind.of_family {
            about.push_str(" It may be for one `family`.");
        }
        let title = format!("### `{}`", kind.word);
        section(page, &title, &about, kind.keys, kind.relations);
    }
}

fn section(
    page: &mut String,
    title: &str,
    about: &str,
    keys: &[&dyn Describe],
    relations: &[Relation],
) {
    // Writing to a String cannot fail.
    write!(page, "\n{title}\n\n{about}\n").ok();
    if !keys.is_empty() {
        page.push('\n');
        table(page, keys);
    }
    if !relations.is_empty() {
        page.push('\n');
    }
    for relation in relations {
        writeln!(page, "* {relation}").ok();
    }
}

fn table(page: &mut String, keys: &[&dyn Describe]) {
    page.push_str("| key | value | meaning |\n|---|---|---|\n");
    for key in keys.iter().map(|key| key.describe()) {
        row(page, &key);
    }
}

fn row(page: &mut String, key: &Description) {
    let value = match &key.form {
        Form::Words(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            words.join(", ")
        }
        Form::Shape(shape) => shape.to_string(),
    };
    let required = if key.is_required { " (required)" } else { "" };
    let (name, about) = (key.name, key.about);
    writeln!(page, "| `{name}`{required} | {value} | {about} |").ok();
}
