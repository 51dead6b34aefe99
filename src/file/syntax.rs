//! Errors of a text that is not TOML, with hints at what its author may have meant.

use std::ops::Range;

use serde::de::IgnoredAny;
use toml::de::Error;

use super::Context;
use super::diagnostic::{Diagnostic, MOST_SHOWN};
use super::keys;

/// Reports each syntax error; or one error if the text is JSON or YAML.
pub(crate) fn report(text: &str, errors: &[Error], cx: &mut Context) {
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
    // A hint may read the whole line of its error, and a line may have thousands of errors. Only
    // the errors that are shown get a hint.
    let (shown, others) = errors.split_at(errors.len().min(MOST_SHOWN));
    for error in shown {
        let span = error.span();
        // The parser's later errors may be consequences of this one.
        if let Some(pairs) = span.as_ref().and_then(|span| colons(text, span)) {
            cx.report(pairs);
            return;
        }
        let first = span.as_ref().and_then(|span| repeated.get(&span.start));
        let diagnostic = match (&span, first) {
            (Some(span), Some(first)) if error.message() == "duplicate key" => {
                let twice = twice(text, span, first);
                if is_list(text, span) {
                    // The keys below the second header are in the same table, and are reported as
                    // repeated too.
                    cx.report(twice);
                    return;
                }
                twice
            }
            _ => {
                let help = span.as_ref().and_then(|span| help(text, span));
                Diagnostic::new(span, error.message()).maybe_help(help)
            }
        };
        cx.report(diagnostic);
    }
    for error in others {
        cx.report(Diagnostic::new(error.span(), error.message()));
    }
}

fn twice(text: &str, span: &Range<usize>, first: &Range<usize>) -> Diagnostic {
    let key = text.get(span.clone()).unwrap_or_default();
    let before = text.get(..span.start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let is_header = line.starts_with('[');
    let help = if is_list(text, span) {
        let header = line.trim_start_matches('[');
        format!("write `[[{header}{key}]]` for each one")
    } else if is_header {
        "write all keys of the table below one header".to_owned()
    } else {
        "remove one of the two".to_owned()
    };
    Diagnostic::new(span.clone(), format!("`{key}` is given twice"))
        .related(first.clone(), "the first one")
        .help(help)
}

fn is_json(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('{') || serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// An error if the line of the first syntax error is YAML: `key: value`, the start of a document,
/// or an element of a list.
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
            let value = in_toml(value);
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

/// Converts a value of YAML or JSON to TOML. Nested braces and brackets are left as they are.
fn in_toml(value: &str) -> String {
    let value = value.trim();
    let inside = value.strip_prefix('{').and_then(|v| v.strip_suffix('}'));
    if let Some(inside) = inside.filter(|inside| !inside.contains(['{', '['])) {
        let pairs = inside.split(',').map(|pair| match pair.split_once(':') {
            Some((key, value)) => format!("{} = {}", key.trim().trim_matches('"'), in_toml(value)),
            None => pair.trim().to_owned(),
        });
        return format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "));
    }
    let is_toml = value.starts_with(['"', '\'', '[', '{'])
        || value.parse::<i64>().is_ok()
        || value.parse::<bool>().is_ok();
    if is_toml {
        value.to_owned()
    } else {
        format!("\"{value}\"")
    }
}

/// Whether a header defines `step` or `case` as a single table, where a file needs `[[step]]` or
/// `[[case]]`.
fn is_list(text: &str, key: &Range<usize>) -> bool {
    let before = text.get(..key.start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let name = text.get(key.clone()).unwrap_or_default();
    ["[", "[case."].contains(&line) && ["step", "case"].contains(&name)
}

/// An error if the line of a syntax error has a colon after a key, as `"idle": "1s"` in JSON or
/// `{ idle: 1s }` in YAML.
fn colons(text: &str, span: &Range<usize>) -> Option<Diagnostic> {
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..)?.lines().next()?;
    let mut quoted = false;
    let mut colon = line.char_indices().filter(|(_, c)| {
        quoted ^= *c == '"';
        *c == ':' && !quoted
    });
    let (place, is_json) = colon.find_map(|(colon, _)| {
        let before = line.get(..colon)?.trim_end();
        let name = before.strip_suffix('"').unwrap_or(before);
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let outside = name.trim_end_matches(word);
        let key = name.get(outside.len()..)?;
        let is_quoted = name.len() < before.len();
        let outside = if is_quoted {
            outside.strip_suffix('"')?
        } else {
            outside
        };
        let begins = outside.trim_end();
        let first = begins.ends_with(['{', ',']) || (begins.is_empty() && is_quoted);
        (first && key.starts_with(|c: char| c.is_ascii_alphabetic())).then_some((colon, is_quoted))
    })?;
    let language = if is_json { "JSON" } else { "YAML" };
    let table = line
        .split_once('=')
        .map(|(key, table)| (key.trim(), table.trim()));
    let example = table.filter(|(_, table)| table.starts_with('{') && table.ends_with('}'));
    let mut help = "write `=` in place of `:`".to_owned();
    if let Some((key, table)) = example {
        help = format!("{help}: `{key} = {}`", in_toml(table));
    }
    let place = start + place;
    let wrong = Diagnostic::new(
        place..place + 1,
        format!("this is {language}, and a scenario is TOML"),
    );
    Some(wrong.help(help))
}

fn help(text: &str, span: &Range<usize>) -> Option<String> {
    curly(text, span).or_else(|| quotes(text, span))
}

/// The help for typographic quotes, as word processors write them.
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

/// The help for a value without quotes, such as `idle = 10s`: the most frequent mistake, which the
/// parser reports as an invalid number.
fn quotes(text: &str, span: &Range<usize>) -> Option<String> {
    let before = text.get(..span.start)?.trim_end_matches([' ', '\t']);
    let value = text.get(span.clone())?;
    let unquoted = before.ends_with('=') && value.starts_with(|c: char| c.is_alphanumeric());
    unquoted.then(|| format!("write it in quotes: `\"{value}\"`"))
}
