//! `[topology]`: a preset, or machines and links spelled out; families; a firewall.

use super::{firewall, graph};
use crate::file::Diagnostic;
use crate::file::{At, Context, Given, Reported};
use crate::file::{Table, Value};
use crate::model::{Preset, Topology};
use crate::scenario::carried::Carried;
use crate::scenario::document::TopologyPart;
use crate::setting::sysctl;

pub(super) fn topology(value: &Value, cx: &mut Context) -> Result<TopologyPart, Reported> {
    let mut table = value.table(cx)?;
    let part = TopologyPart {
        network: network(&mut table, cx),
        families: table.optional("family", cx, families),
        firewall: table.optional("firewall", cx, firewall::firewall),
        sysctl: sysctl::OF_NODES.get(&mut table, cx),
    };
    table.finish(cx)?;
    Ok(part)
}

/// A preset is a graph under a name.
fn network(table: &mut Table, cx: &mut Context) -> Given<Topology> {
    let presets = [Preset::Direct, Preset::Switched, Preset::Routed];
    let preset = table.optional("preset", cx, |value, cx| value.one_of(&presets, cx));
    let nodes = table.optional("nodes", cx, graph::nodes);
    let links = table.optional("links", cx, graph::links);
    match (preset?, nodes?, links?) {
        (None, None, None) => Ok(None),
        (Some(At { value, span }), None, None) => {
            let value = Topology::from(value);
            Ok(Some(At { value, span }))
        }
        (None, nodes, Some(links)) => {
            let nodes = nodes.map(|nodes| nodes.value).unwrap_or_default();
            let value = graph::topology(&nodes, &links, cx)?;
            let span = links.span;
            Ok(Some(At { value, span }))
        }
        (None, Some(nodes), None) => {
            let loose = Diagnostic::new(nodes.span, "these machines have no links");
            let help = "add `links = [{ between = [\"client\", \"...\"] }, ...]` to `[topology]`";
            Err(cx.report(loose.help(help)))
        }
        (Some(preset), nodes, links) => {
            let message = "a topology is a preset, or it is spelled out";
            let mut both = Diagnostic::new(preset.span, message);
            for span in [nodes.map(|at| at.span), links.map(|at| at.span)] {
                both.related
                    .extend(span.map(|span| (span, "spelled out here".to_owned())));
            }
            Err(cx.report(both.help("remove `preset`, or `nodes` and `links`")))
        }
    }
}

/// One word, or a list of them.
fn families(value: &Value, cx: &mut Context) -> Result<Vec<Carried>, Reported> {
    if value.as_str().is_some() {
        return value.word(&Carried::ALL, cx).map(|family| vec![family]);
    }
    let mut families = Vec::new();
    let mut reported = None;
    for element in value.list("`ipv4`, `ipv6` and `dual`", cx)? {
        match element.word(&Carried::ALL, cx) {
            Ok(family) if families.contains(&family) => {
                let message = format!("`{}` is listed twice", element.as_str().unwrap_or_default());
                let twice = Diagnostic::new(element.span(), message);
                reported = Some(cx.report(twice.help("each makes its cases once")));
            }
            Ok(family) => families.push(family),
            Err(error) => reported = Some(error),
        }
    }
    if let Some(reported) = reported {
        return Err(reported);
    }
    if families.is_empty() {
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        return Err(cx.report(
            empty.help("list `ipv4`, `ipv6` or `dual`, or leave the key out for the first two"),
        ));
    }
    Ok(families)
}
