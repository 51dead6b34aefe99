//! `route`: changes the route of a node to the network of an end.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, StepKind};
use crate::file::{At, Context, Diagnostic, Key, Relation, Reported, Table, end, machine};
use crate::model::{End, Node, RouteChange};
use crate::world::{Fault, Refusal, World};

/// Changes the route of a node to the network of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// The host or router that has the route; never a switch.
    pub on: Node,
    /// The destination of the route; never `on` itself.
    pub to: End,
    /// The change.
    pub change: RouteChange,
}

#[derive(Clone, Copy)]
enum Word {
    To(RouteChange),
    Via,
}

const ON: Key<Node> = machine("on", "The node with the route.")
    .required("the node whose route changes: `on = \"...\"`");
const TO: Key<End> = end("to", "The end that the route leads to.")
    .required("the end that the route leads to: `to = \"client\"` or `to = \"server\"`");
const ACTION: Key<Word> = Key::word(
    "action",
    &[
        ("delete", Word::To(RouteChange::Delete)),
        ("unreachable", Word::To(RouteChange::Unreachable)),
        ("prohibit", Word::To(RouteChange::Prohibit)),
        ("blackhole", Word::To(RouteChange::Blackhole)),
        ("via", Word::Via),
        ("restore", Word::To(RouteChange::Restore)),
    ],
    "`delete` removes the route; `unreachable`, `prohibit` and `blackhole` replace it by a route of this type; `via` moves it to \
     another router; `restore` installs the original route again.",
)
.required("what happens to the route: `action = \"delete\"`");
const VIA: Key<Node> = machine(
    "via",
    "The new next hop of the route. For `action = \"via\"`.",
);

pub(super) const KIND: Kind = Kind {
    word: "route",
    about: "Changes the route of a node to the network of an end.",
    keys: &[&ON, &TO, &ACTION, &VIA],
    relations: &[Relation::Only {
        key: "via",
        beside: "action",
        words: &["via"],
        is_required: true,
    }],
    of_family: true,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Route, Reported> {
    let on = ON.need(table, cx);
    let to = TO.need(table, cx);
    let action = ACTION.need(table, cx);
    let via = VIA.get(table, cx);
    let (on, to, action) = (on?, to?, action?);
    let change = change(&action, via?, cx)?;
    if on.value == to.value.node() {
        let peer = to.value.peer();
        let message = format!("the {} has no route to itself", to.value);
        let itself = Diagnostic::new(to.span, message).related(on.span, "the same end");
        return Err(cx.report(itself.help(format!("write `to = \"{peer}\"`"))));
    }
    Ok(Route {
        on: on.value,
        to: to.value,
        change,
    })
}

fn change(
    action: &At<Word>,
    via: Option<At<Node>>,
    cx: &mut Context,
) -> Result<RouteChange, Reported> {
    match (action.value, via) {
        (Word::To(change), None) => Ok(change),
        (Word::Via, Some(via)) => Ok(RouteChange::Via(via.value)),
        (Word::Via, None) => {
            let nowhere = Diagnostic::new(action.span.clone(), "this action needs `via`");
            Err(cx.report(nowhere.help("add the router that is the next hop: `via = \"r3\"`")))
        }
        (Word::To(_), Some(via)) => {
            let idle = Diagnostic::new(via.span, "`via` has no effect here");
            let idle = idle.related(action.span.clone(), "the route is not moved");
            Err(cx.report(idle.help("write `action = \"via\"`, or remove `via`")))
        }
    }
}

impl Act for Route {
    fn kind(&self) -> StepKind {
        if self.change == RouteChange::Restore {
            StepKind::Repair
        } else {
            StepKind::Fault
        }
    }

    fn machines(&self) -> Vec<Named> {
        let on = Named::new("on", self.on, Need::Routes);
        match self.change {
            RouteChange::Via(via) => {
                vec![on, Named::new("via", via, Need::NextRouterOf(self.on))]
            }
            RouteChange::Delete
            | RouteChange::Unreachable
            | RouteChange::Prohibit
            | RouteChange::Blackhole
            | RouteChange::Restore => vec![on],
        }
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let Self { on, to, change } = *self;
        let is_route =
            |fault: &Fault| matches!(fault, Fault::Route(n, t, _) if (*n, *t) == (on, to));
        let now = world.find(is_route);
        if now.is_none() && change == RouteChange::Restore {
            let message = format!(
                "the route to the {to} on {} is unchanged, so there is nothing to restore",
                on.the()
            );
            return Err(Refusal::new(message).help(format!(
                "change it in an earlier step: `on = \"{on}\"`, `to = \"{to}\"`, `action = \"delete\"`"
            )));
        }
        let new = Fault::Route(on, to, change);
        if let Some(earlier) = now.filter(|fact| fact.fault == new) {
            let message = format!(
                "the route to the {to} on {} is already in this state",
                on.the()
            );
            let twice = Refusal::new(message).because(earlier);
            return Err(twice.help("remove one of the two, or restore the route in between"));
        }
        world.end(is_route);
        if change != RouteChange::Restore {
            world.begin(new);
        }
        Ok(())
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, more) = match self.change {
            RouteChange::Delete => ("delete", String::new()),
            RouteChange::Unreachable => ("unreachable", String::new()),
            RouteChange::Prohibit => ("prohibit", String::new()),
            RouteChange::Blackhole => ("blackhole", String::new()),
            RouteChange::Via(next) => ("move", format!(", to go over {}", next.the())),
            RouteChange::Restore => ("restore", String::new()),
        };
        write!(
            f,
            "{word} the route to the {} on {}{more}",
            self.to,
            self.on.the()
        )
    }
}
