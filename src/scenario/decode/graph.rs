//! `topology.nodes` and `topology.links`: a network as a graph of machines and links.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::file::Diagnostic;
use crate::file::Value;
use crate::file::{At, Context, Reported};
use crate::file::{Key, List, Names, Shape, TableKind};
use crate::file::{named, node};
use crate::model::{LARGEST_MTU, Link, Machine, Node, Role, SMALLEST_MTU, Topology};
use crate::suggest::{alternatives, nearest};

/// The maximum number of machines, including the client and the server. A larger network would be
/// slow to build, and a reader could not follow its events.
const MOST_NODES: usize = 16;
/// The maximum number of links. The address ranges for documentation have room for this many
/// networks with all their machines.
const MOST_LINKS: usize = 32;

const ROLES: [Role; 3] = [Role::Host, Role::Router, Role::Switch];

pub(super) const NODES: Key<Vec<NodePart>> = Key::value(
    "nodes",
    Shape::Map(
        Names::Machines,
        &Shape::OneOf(|| ROLES.map(|role| role.to_string()).into()),
    ),
    nodes,
    "The machines besides the client and the server, at most 14. A name has at most 12 characters: lower-case letters, digits and hyphens.",
);
pub(super) const LINKS: Key<Vec<LinkPart>> = Key::value(
    "links",
    Shape::List(List {
        of: &Shape::Table(&LINK),
        least: 0,
        most: Some(MOST_LINKS),
        differ: false,
    }),
    links,
    "The cables. A host has one cable, switches form no loop, and a router has at most one link to each network.",
);

const BETWEEN: Key<[At<Node>; 2]> = Key::value(
    "between",
    Shape::List(List {
        of: &Shape::Machine,
        least: 2,
        most: Some(2),
        differ: true,
    }),
    between,
    "The two machines.",
)
.required("the two machines: `between = [\"client\", \"r1\"]`");
const MTU: Key<u16> = Key::value(
    "mtu",
    Shape::Integer(SMALLEST_MTU as u64, LARGEST_MTU as u64),
    |value, cx| {
        let limits = u64::from(SMALLEST_MTU)..=u64::from(LARGEST_MTU);
        value.integer(limits, |bytes| u16::try_from(bytes).ok(), cx)
    },
    "The MTU of the link in bytes; 1500, if absent.",
);

const LINK: TableKind = TableKind {
    name: Some("link"),
    about: "A cable between two machines.",
    keys: &[&BETWEEN, &MTU],
    relations: &[],
};

/// A machine, with the byte range of its name.
pub(super) type NodePart = At<Machine>;

/// A link, with the byte ranges of the names of its ends.
#[derive(Clone)]
pub(super) struct LinkPart {
    between: [At<Node>; 2],
    mtu: u16,
    span: Range<usize>,
}

/// Reads `nodes`; the result is in the order of the file.
fn nodes(value: &Value, cx: &mut Context) -> Result<Vec<NodePart>, Reported> {
    let how = "write each machine with its role: `{ r1 = \"router\", lan = \"switch\" }`";
    let mut nodes = Vec::new();
    for (name, role) in value.entries_or(Some(how), cx)? {
        let node = named(name.value, name.span.clone(), cx).and_then(|node| own(node, &name, cx));
        let role = role.one_of(&ROLES, cx);
        nodes.push(node.and_then(|node| {
            let value = Machine { node, role: role? };
            let span = name.span;
            Ok(At { value, span })
        }));
    }
    let mut nodes = nodes.into_iter().collect::<Result<Vec<_>, _>>()?;
    nodes.sort_by_key(|node| node.span.start);
    if nodes.len() + 2 > MOST_NODES {
        let message = format!("`{}` has {} machines", value.path(), nodes.len());
        let many = Diagnostic::new(value.span(), message);
        let help = format!("the maximum is {MOST_NODES}, including the client and the server");
        return Err(cx.report(many.help(help)));
    }
    Ok(nodes)
}

fn own(node: Node, name: &At<&str>, cx: &mut Context) -> Result<Node, Reported> {
    if ![Node::CLIENT, Node::SERVER].contains(&node) {
        return Ok(node);
    }
    let known = Diagnostic::new(
        name.span.clone(),
        format!("the {node} always exists, and is not listed in `nodes`"),
    );
    Err(cx.report(known.help("remove it here, and use it in `links`")))
}

fn links(value: &Value, cx: &mut Context) -> Result<Vec<LinkPart>, Reported> {
    let links = value.list("links", cx)?;
    let links: Vec<_> = links.iter().map(|value| link(value, cx)).collect();
    let links = links.into_iter().collect::<Result<Vec<_>, _>>()?;
    if links.len() > MOST_LINKS {
        let message = format!("`{}` has {} links", value.path(), links.len());
        let many = Diagnostic::new(value.span(), message);
        return Err(cx.report(many.help(format!("there are {MOST_LINKS} at most"))));
    }
    Ok(links)
}

fn link(value: &Value, cx: &mut Context) -> Result<LinkPart, Reported> {
    let how = "write `{ between = [\"client\", \"r1\"] }`";
    let mut table = value.table_or(Some(how), cx)?;
    let between = BETWEEN.need(&mut table, cx);
    let mtu = MTU.get(&mut table, cx);
    table.finish(cx)?;
    let between = between?;
    Ok(LinkPart {
        between: between.value,
        mtu: mtu?.map_or(LARGEST_MTU, |at| at.value),
        span: between.span,
    })
}

fn between(value: &Value, cx: &mut Context) -> Result<[At<Node>; 2], Reported> {
    let mut names = Vec::new();
    for name in value.list("two machines", cx)? {
        let span = name.span();
        names.push(node(&name, cx).map(|value| At { value, span }));
    }
    let names = names.into_iter().collect::<Result<Vec<_>, _>>()?;
    let two: Result<[At<Node>; 2], _> = names.try_into();
    let two = two.map_err(|names| {
        let message = format!(
            "`{}` needs two machines, but has {}",
            value.path(),
            names.len()
        );
        let wrong = Diagnostic::new(value.span(), message);
        cx.report(wrong.help("a link has two ends; use a switch to join more machines"))
    })?;
    if two[0].value == two[1].value {
        let message = format!("this link joins {} to itself", two[0].value.the());
        return Err(cx.report(Diagnostic::new(value.span(), message).help("name two machines")));
    }
    Ok(two)
}

/// Builds the graph, and reports links that do not fit into it, and machines without a path.
pub(super) fn topology(
    nodes: &[NodePart],
    links: &At<Vec<LinkPart>>,
    cx: &mut Context,
) -> Result<Topology, Reported> {
    let graph = Topology::graph(
        nodes.iter().map(|node| node.value).collect(),
        links.value.iter().map(LinkPart::link).collect(),
    );
    let mut found = Vec::new();
    found.extend(unknown_machines(&graph, links));
    if found.is_empty() {
        found.extend(duplicate_links(links));
        found.extend(second_links(&graph, links));
        found.extend(switch_loops(&graph, links));
    }
    if found.is_empty() {
        found.extend(shared_networks(&graph, links));
        found.extend(isolated(&graph, nodes, links));
    }
    let reported = found.into_iter().map(|wrong| cx.report(wrong)).last();
    reported.map_or(Ok(graph), Err)
}

impl LinkPart {
    fn link(&self) -> Link {
        Link {
            between: [self.between[0].value, self.between[1].value],
            mtu: self.mtu,
        }
    }
}

fn unknown_machines(graph: &Topology, links: &At<Vec<LinkPart>>) -> Vec<Diagnostic> {
    let ends = links.value.iter().flat_map(|link| &link.between);
    let unknown = ends.filter(|end| graph.role(end.value).is_none());
    unknown
        .map(|end| {
            let names: Vec<&str> = graph.machines().iter().map(|m| m.node.name()).collect();
            let help = match nearest(end.value.name(), names.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!(
                    "the machines are {}; others are named in `nodes`",
                    alternatives(&names, "and")
                ),
            };
            let message = format!("there is no `{}`", end.value);
            Diagnostic::new(end.span.clone(), message).help(help)
        })
        .collect()
}

fn duplicate_links(links: &At<Vec<LinkPart>>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (place, link) in links.value.iter().enumerate() {
        let [a, b] = link.link().between;
        let mut earlier = links.value[..place].iter();
        if let Some(first) = earlier.find(|first| first.link().joins(a, b)) {
            let message = format!("{} and {} already have a link", a.the(), b.the());
            let twice = Diagnostic::new(link.span.clone(), message);
            let twice = twice.related(first.span.clone(), "the first one");
            found.push(twice.help("remove one of the two, or put a router into one"));
        }
    }
    found
}

fn second_links(graph: &Topology, links: &At<Vec<LinkPart>>) -> Vec<Diagnostic> {
    let mut first: BTreeMap<Node, Range<usize>> = BTreeMap::new();
    let mut found = Vec::new();
    for end in links.value.iter().flat_map(|link| &link.between) {
        if graph.role(end.value) != Some(Role::Host) {
            continue;
        }
        match first.get(&end.value) {
            None => drop(first.insert(end.value, end.span.clone())),
            Some(first) => {
                let message = format!("{} already has a link", end.value.the());
                let second = Diagnostic::new(end.span.clone(), message);
                let second = second.related(first.clone(), "the first one");
                let help = "a host has one link and one address, and cannot choose between links: put a router or a switch in front of it";
                found.push(second.help(help));
            }
        }
    }
    found
}

/// Reports loops of switches. The bridges of the lab do not run the spanning tree protocol, so a
/// flooded frame would circulate in a loop for ever.
fn switch_loops(graph: &Topology, links: &At<Vec<LinkPart>>) -> Vec<Diagnostic> {
    let mut group: BTreeMap<Node, Node> = graph.of_role(Role::Switch).map(|s| (s, s)).collect();
    let mut found = Vec::new();
    for link in &links.value {
        let [a, b] = link.link().between;
        let (Some(near), Some(far)) = (group.get(&a).copied(), group.get(&b).copied()) else {
            continue;
        };
        if near == far {
            let message = format!("this link closes a loop of switches, from {a} to {b}");
            let storm = Diagnostic::new(link.span.clone(), message);
            found.push(storm.help("a frame would circulate for ever: make one of them a router"));
        }
        let joined = group.values_mut().filter(|of| **of == far);
        joined.for_each(|of| *of = near);
    }
    found
}

fn shared_networks(graph: &Topology, links: &At<Vec<LinkPart>>) -> Vec<Diagnostic> {
    let mut first: BTreeMap<(Node, u32), Range<usize>> = BTreeMap::new();
    let mut found = Vec::new();
    for (link, network) in links.value.iter().zip(graph.networks()) {
        for end in &link.between {
            if graph.role(end.value) != Some(Role::Router) {
                continue;
            }
            let earlier = first.insert((end.value, network), end.span.clone());
            if let Some(earlier) = earlier {
                let message = format!("{} already has a link to this network", end.value.the());
                let twice = Diagnostic::new(end.span.clone(), message);
                let twice = twice.related(earlier, "by this link");
                found.push(twice.help(
                    "a router answers for each of its addresses on all of its interfaces: give it one link to each network",
                ));
            }
        }
    }
    found
}

fn isolated(graph: &Topology, nodes: &[NodePart], links: &At<Vec<LinkPart>>) -> Option<Diagnostic> {
    let node = graph.unreachable()?;
    let named = nodes.iter().find(|part| part.value.node == node);
    let span = named.map_or(links.span.clone(), |part| part.span.clone());
    let message = format!("no path leads from the client to {}", node.the());
    let help = format!("add a link: `{{ between = [\"{node}\", \"...\"] }}`");
    Some(Diagnostic::new(span, message).help(help))
}
