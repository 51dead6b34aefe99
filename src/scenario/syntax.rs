//! What is wrong with a text that is not TOML, and what its author may have meant.

use std::ops::Range;

use serde::de::IgnoredAny;
use toml::de::Error;

use super::context::Context;
use super::diagnostic::Diagnostic;
use super::keys;

/// Reports each error, or what the text is instead.
pub(super) fn report(text: &str, errors: &[Error], cx: &mut Context) {
    if is_json(text) {
        let json = Diagnostic::new(None, "the file is JSON, and a scenario is TOML");
        cx.report(
            json.help("write `key = value` on a line of its own, and `[table]` in place of braces"),
        );
        return;
    }
    let first = errors.first().and_then(Error::span);
    if let Some(yaml) = first.and_then(|first| yaml(text, &first)) {
        cx.report(yaml);
        return;
    }
    let repeated = keys::repeated(text);
    for error in errors {
        let span = error.span();
        let first = span.as_ref().and_then(|span| repeated.get(&span.start));
        let diagnostic = match (&span, first) {
            (Some(span), Some(first)) if error.message() == "duplicate key" => {
                twice(text, span, first)
            }
            _ => {
                let help = span.as_ref().and_then(|span| help(text, span));
                Diagnostic::new(span, error.message()).maybe_help(help)
            }
        };
        cx.report(diagnostic);
    }
}

fn twice(text: &str, span: &Range<usize>, first: &Range<usize>) -> Diagnostic {
    let key = text.get(span.clone()).unwrap_or_default();
    let before = text.get(..span.start).unwrap_or_default();
    let is_header = before
        .lines()
        .next_back()
        .is_some_and(|line| line.starts_with('['));
    let help = if is_header {
        "write all keys of the table below one header"
    } else {
        "remove one of the two"
    };
    Diagnostic::new(span.clone(), format!("`{key}` is given twice"))
        .related(first.clone(), "the first one")
        .help(help)
}

fn is_json(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('{') || serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The first line of YAML: `key: value`, a document's beginning or an element of a list.
fn yaml(text: &str, first: &Range<usize>) -> Option<Diagnostic> {
    let start = text
        .get(..first.start)?
        .rfind('\n')
        .map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next()?;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let pair = line.split_once(':').filter(|(key, value)| {
        let key = key.trim_start().trim_start_matches("- ");
        !key.is_empty() && key.chars().all(word) && (value.is_empty() || value.starts_with(' '))
    });
    let begins = line.trim_end() == "---" || line.trim_start().starts_with("- ");
    let help = match pair {
        Some((key, value)) if !value.trim().is_empty() => {
            let (key, value) = (key.trim_start().trim_start_matches("- "), value.trim());
            let quoted = value.starts_with(['"', '\'', '[', '{']) || value.parse::<i64>().is_ok();
            let value = if quoted {
                value.to_owned()
            } else {
                format!("\"{value}\"")
            };
            format!("write `{key} = {value}`")
        }
        Some((key, _)) => {
            let key = key.trim_start().trim_start_matches("- ");
            format!("write `[{key}]`, and the keys of the table below it")
        }
        None if begins => "write `key = value`, `[table]`, and `[[step]]` for each step".to_owned(),
        None => return None,
    };
    let span = start..start + line.trim_end().len();
    Some(Diagnostic::new(span, "this is YAML, and a scenario is TOML").help(help))
}

fn help(text: &str, span: &Range<usize>) -> Option<String> {
    curly(text, span).or_else(|| quotes(text, span))
}

/// Quotes as a word processor writes them.
fn curly(text: &str, span: &Range<usize>) -> Option<String> {
    let from = text.get(span.start..)?;
    let line = from.lines().next()?;
    let end = span.len().min(line.len());
    let wrong = line.char_indices().take_while(|(place, _)| *place <= end);
    let (_, quote) = wrong.into_iter().find(|(_, c)| "“”„‟‘’‚".contains(*c))?;
    Some(format!(
        "write the straight quote `\"` in place of `{quote}`"
    ))
}

/// The commonest slip, `idle = 10s`, which TOML takes for a strange number.
fn quotes(text: &str, span: &Range<usize>) -> Option<String> {
    let before = text.get(..span.start)?.trim_end_matches([' ', '\t']);
    let value = text.get(span.clone())?;
    let unquoted = before.ends_with('=') && value.starts_with(|c: char| c.is_alphanumeric());
    unquoted.then(|| format!("write it in quotes: `\"{value}\"`"))
}
