//! The steps `cable` and `route`: what becomes of links, and of the ways over them.

use std::ops::Range;

use super::graph;
use crate::model::{End, Node};
use crate::scenario::context::{At, Context, Reported};
use crate::scenario::cursor::{Table, Value};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::quantity::Problem;
use crate::scenario::suggest::{alternatives, nearest};
use crate::step::{Action, CableChange, RouteChange};

const ENDS: [End; 2] = [End::Client, End::Server];

/// A step with the places of what it names.
pub(super) struct Read {
    pub(super) action: Action,
    /// The word that says what the step does.
    pub(super) verb: Range<usize>,
    /// The machine where it is done.
    pub(super) node: Option<Range<usize>>,
    /// The other machine that it names.
    pub(super) other: Option<Range<usize>>,
}

/// An end's cable, or with `to` a machine's side of a link.
pub(super) fn cable(table: &mut Table, cx: &mut Context) -> Result<Read, Reported> {
    let example = "`at = \"client\"` or `at = \"server\"`, or a machine with `to`, the one across";
    let is_link = table.has("to");
    let at = table.required("at", example, cx, |value, cx| {
        if is_link {
            graph::node(value, cx)
        } else {
            end(value, cx).map(End::node)
        }
    });
    let to = table.optional("to", cx, graph::node);
    let changes = [CableChange::Pull, CableChange::Plug];
    let example = "`action = \"pull\"` or `action = \"plug\"`";
    let change = table.required("action", example, cx, |v, cx| v.one_of(&changes, cx))?;
    let (at, to) = (at?, to?);
    let (verb, change) = (change.span, change.value);
    let action = match &to {
        Some(to) => Action::Link {
            at: at.value,
            to: to.value,
            change,
        },
        None => Action::Cable {
            at: if at.value == Node::SERVER {
                End::Server
            } else {
                End::Client
            },
            change,
        },
    };
    Ok(Read {
        action,
        verb,
        node: Some(at.span),
        other: to.map(|to| to.span),
    })
}

/// Of other machines a step says which link.
fn end(value: &Value, cx: &mut Context) -> Result<End, Reported> {
    let ends = ENDS.map(|end| end.to_string());
    let other = value.as_str().filter(|name| {
        let slip = nearest(name, ends.iter().map(String::as_str));
        slip.is_none() && Node::named(name).is_some()
    });
    let Some(other) = other else {
        return value.one_of(&ENDS, cx);
    };
    let message = format!("`{other}` is not a value of `{}`", value.path());
    let help = format!(
        "it can be {}; another machine needs `to`, the one across",
        alternatives(&["client", "server"], "or")
    );
    Err(value.wrong(Problem::new(message, help), cx))
}

#[derive(Clone, Copy)]
enum Change {
    To(RouteChange),
    Via,
}

pub(super) fn route(table: &mut Table, cx: &mut Context) -> Result<Read, Reported> {
    let example = "the node whose route changes: `on = \"...\"`";
    let on = table.required("on", example, cx, graph::node);
    let example = "the end that the route leads to: `to = \"client\"` or `to = \"server\"`";
    let to = table.required("to", example, cx, |value, cx| value.one_of(&ENDS, cx));
    let changes = [
        ("delete", Change::To(RouteChange::Delete)),
        ("unreachable", Change::To(RouteChange::Unreachable)),
        ("prohibit", Change::To(RouteChange::Prohibit)),
        ("blackhole", Change::To(RouteChange::Blackhole)),
        ("via", Change::Via),
        ("restore", Change::To(RouteChange::Restore)),
    ];
    let example = "what happens to the route: `action = \"delete\"`";
    let action = table.required("action", example, cx, |v, cx| v.word(&changes, cx));
    let via = table.optional("via", cx, graph::node);
    let (on, to, action) = (on?, to?, action?);
    let (change, other) = change(&action, via?, cx)?;
    if on.value == to.value.node() {
        let peer = to.value.peer();
        let message = format!("the {} has no route to itself", to.value);
        let itself = Diagnostic::new(to.span, message).related(on.span, "the same end");
        return Err(cx.report(itself.help(format!("write `to = \"{peer}\"`"))));
    }
    Ok(Read {
        action: Action::Route {
            on: on.value,
            to: to.value,
            change,
        },
        verb: action.span,
        node: Some(on.span),
        other,
    })
}

fn change(
    action: &At<Change>,
    via: Option<At<Node>>,
    cx: &mut Context,
) -> Result<(RouteChange, Option<Range<usize>>), Reported> {
    match (action.value, via) {
        (Change::To(change), None) => Ok((change, None)),
        (Change::Via, Some(via)) => Ok((RouteChange::Via(via.value), Some(via.span))),
        (Change::Via, None) => {
            let nowhere = Diagnostic::new(action.span.clone(), "this route is moved to nowhere");
            Err(cx.report(nowhere.help("add the router that it is to go over: `via = \"r3\"`")))
        }
        (Change::To(_), Some(via)) => {
            let idle = Diagnostic::new(via.span, "`via` does nothing here");
            let idle = idle.related(action.span.clone(), "the route is not moved");
            Err(cx.report(idle.help("write `action = \"via\"`, or remove `via`")))
        }
    }
}
