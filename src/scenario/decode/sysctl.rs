//! `sysctl`: settings of a host's network namespace, by their names.

use crate::scenario::context::{Context, Reported};
use crate::scenario::cursor::Value;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::model::Sysctl;

/// Below `net.` alone: nothing else belongs to a network namespace.
pub(super) fn settings(value: &Value, cx: &mut Context) -> Result<Vec<Sysctl>, Reported> {
    let table = value.table(cx)?;
    let mut settings = Vec::new();
    let mut reported = None;
    for (name, value) in table.entries() {
        if !belongs_to_a_namespace(name.value) {
            let message = format!("`{}` is no sysctl of a network namespace", name.value);
            let wrong = Diagnostic::new(name.span.clone(), message);
            let help =
                "write it as sysctl(8) spells it, with quotes: `\"net.ipv4.tcp_retries2\" = 5`";
            reported = Some(cx.report(wrong.help(help)));
            continue;
        }
        match setting(&value, cx) {
            Ok(text) => settings.push(Sysctl {
                name: name.value.to_owned(),
                value: text,
            }),
            Err(error) => reported = Some(error),
        }
    }
    reported.map_or(Ok(settings), Err)
}

/// The name becomes a path, so nothing may lead out of the folder.
fn belongs_to_a_namespace(name: &str) -> bool {
    let word = |word: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        !word.is_empty() && word.bytes().all(known)
    };
    name.strip_prefix("net.")
        .is_some_and(|rest| rest.contains('.') && rest.split('.').all(word))
}

fn setting(value: &Value, cx: &mut Context) -> Result<String, Reported> {
    match value.as_str() {
        Some(_) => value.text(cx),
        None => value.integer(0..=i64::MAX as u64, |number| Some(number.to_string()), cx),
    }
}
