//! The reference of the scenario format, as Markdown, from the same tables that the files are read by.

use std::fmt::Write;

use crate::file::{Describe, Form};
use crate::step;

/// The reference: what `docs/reference.md` is.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Reference of scenario files\n\n\
         This page is generated from the tables that scenario files are read by (`cargo xtask reference`).\n\n\
         ## Steps\n\n\
         Keys of every step:\n\n",
    );
    table(&mut page, step::COMMON);
    page.push_str("\nSteps that change something that each family has for itself also have:\n\n");
    table(&mut page, &[step::OF_FAMILY]);
    for row in step::ROWS {
        let kind = row.kind;
        // A String takes all that is written to it.
        write!(page, "\n### `{}`\n\n{}\n", kind.word, kind.about).ok();
        if kind.of_family {
            page.push_str(" It may be for one `family`.\n");
        }
        if !kind.keys.is_empty() {
            page.push('\n');
            table(&mut page, kind.keys);
        }
    }
    page
}

fn table(page: &mut String, keys: &[&dyn Describe]) {
    page.push_str("| key | value | meaning |\n|---|---|---|\n");
    for key in keys {
        let key = key.describe();
        let form = match key.form {
            Form::Words(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                words.join(", ")
            }
            Form::Shape(shape) => shape.to_string(),
        };
        let required = if key.is_required { " (required)" } else { "" };
        writeln!(
            page,
            "| `{}`{required} | {form} | {} |",
            key.name, key.about
        )
        .ok();
    }
}
