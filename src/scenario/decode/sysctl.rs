//! `sysctl`: settings of a machine's network namespace, by their names.

use super::graph;
use crate::scenario::context::{At, Context, Reported};
use crate::scenario::cursor::Value;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::model::{Node, NodeSysctls, Sysctl};

/// Below `net.` alone: nothing else belongs to a network namespace.
pub(super) fn settings(value: &Value, cx: &mut Context) -> Result<Vec<Sysctl>, Reported> {
    let mut settings = Vec::new();
    let mut reported = None;
    for (name, value) in value.entries(cx)? {
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

/// Those of machines between the ends, each under its name.
pub(super) fn of_nodes(value: &Value, cx: &mut Context) -> Result<Vec<At<NodeSysctls>>, Reported> {
    let how = "name each machine: `{ r1 = { \"net.ipv4.ip_default_ttl\" = 32 } }`";
    let nodes: Vec<_> = value
        .entries_or(Some(how), cx)?
        .into_iter()
        .map(|(name, value)| {
            let node = graph::named(name.value, name.span.clone(), cx);
            let sysctl = settings(&value, cx);
            let node = node.and_then(|node| between(node, &name, cx))?;
            let sysctl = sysctl?;
            Ok(At {
                value: NodeSysctls { node, sysctl },
                span: name.span,
            })
        })
        .collect();
    let mut nodes = nodes.into_iter().collect::<Result<Vec<_>, _>>()?;
    nodes.sort_by_key(|node| node.span.start);
    Ok(nodes)
}

fn between(node: Node, name: &At<&str>, cx: &mut Context) -> Result<Node, Reported> {
    if ![Node::CLIENT, Node::SERVER].contains(&node) {
        return Ok(node);
    }
    let message = format!("the {node} has its settings elsewhere");
    let end = Diagnostic::new(name.span.clone(), message);
    Err(cx.report(end.help(format!("write them in `connection.{node}.sysctl`"))))
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
