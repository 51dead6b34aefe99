//! `[topology]`: a preset, or machines and links; families; a firewall; sysctls of the machines.

use super::{firewall, graph};
use crate::file::Diagnostic;
use crate::file::{At, Context, Given, Reported};
use crate::file::{Key, Layers, Relation, Shape, Table, TableKind, Value};
use crate::model::{Preset, Topology};
use crate::scenario::carried::Carried;
use crate::scenario::draft::TopologyDraft;
use crate::setting::sysctl;

const PRESET: Key<Preset> = Key::word(
    "preset",
    &[
        ("direct", Preset::Direct),
        ("switched", Preset::Switched),
        ("routed", Preset::Routed),
    ],
    "`direct`: one cable; `switched`: a switch between the ends; `routed`: a router, and two networks.",
);
const FAMILY: Key<Vec<Carried>> = Key::value(
    "family",
    Shape::OneOrMore(&Shape::OneOf(Carried::words)),
    families,
    "The families that the connection runs over, with one case for each; `ipv4` and `ipv6`, if absent. `dual` makes two cases over one \
     network that carries both.",
);

pub(super) const KIND: TableKind = TableKind {
    name: Some("topology"),
    about: "The network: a preset, or machines and links.",
    keys: &[
        &PRESET,
        &graph::NODES,
        &graph::LINKS,
        &FAMILY,
        &firewall::KEY,
        &sysctl::OF_NODES,
    ],
    relations: &[
        Relation::Excludes(&["preset"], &["nodes", "links"]),
        Relation::Needs("nodes", &["links"]),
    ],
};

pub(super) fn read(mut topology: Layers, cx: &mut Context) -> TopologyDraft {
    let own = topology.each().next();
    TopologyDraft {
        span: topology.span(),
        network: topology.find(cx, network),
        has_own_network: own.is_some_and(|mut own| !matches!(own.find(cx, network), Ok(None))),
        families: topology.get(&FAMILY, cx),
        firewall: topology.get(&firewall::KEY, cx),
        sysctl: topology.get(&sysctl::OF_NODES, cx),
    }
}

/// Reads the network: a preset, or a graph of machines and links. A preset is a named graph.
fn network(table: &mut Table, cx: &mut Context) -> Given<Topology> {
    let preset = PRESET.get(table, cx);
    let nodes = graph::NODES.get(table, cx);
    let links = graph::LINKS.get(table, cx);
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
            let message = "a topology has either `preset`, or `nodes` and `links`";
            let mut both = Diagnostic::new(preset.span, message);
            for span in [nodes.map(|at| at.span), links.map(|at| at.span)] {
                both.related
                    .extend(span.map(|span| (span, "given here".to_owned())));
            }
            Err(cx.report(both.help("remove `preset`, or `nodes` and `links`")))
        }
    }
}

/// Reads one word, or a list of words.
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
                reported = Some(cx.report(twice.help("list each family once")));
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
            empty.help("list `ipv4`, `ipv6` or `dual`, or omit the key for `ipv4` and `ipv6`"),
        ));
    }
    Ok(families)
}
