//! `filter`: a router drops or rejects segments that it would forward.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Act, Kind, Named, Need, SEGMENTS, StepKind, distinguishable, tracked};
use crate::file::{
    Context, Key, Problem, Relation, Reported, Shape, Table, Value, end, machine, nearest,
};
use crate::model::{
    End, Family, Filter as Rule, FilterVerdict, Node, Segments, Unreachable, icmp_name, icmp_names,
};
use crate::world::{Fault, Refusal, World};

/// Adds a filter for forwarded segments to a router, or removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Filter {
    /// The router.
    pub(crate) on: Node,
    /// The filter rule; `None` removes the filter.
    pub(crate) rule: Option<Rule>,
}

#[derive(Clone, Copy)]
enum Word {
    Drop,
    Reject,
    Remove,
}

const WHAT_WORDS: [(&str, Segments); 6] = [
    SEGMENTS[0],
    SEGMENTS[1],
    SEGMENTS[2],
    SEGMENTS[3],
    SEGMENTS[4],
    ("established", Segments::Established),
];

const ON: Key<Node> = machine("on", "The router.").required("where it is done: `on = \"router\"`");
const ACTION: Key<Word> = Key::word(
    "action",
    &[
        ("drop", Word::Drop),
        ("reject", Word::Reject),
        ("remove", Word::Remove),
    ],
    "`drop`: drop silently; `reject`: drop, and answer with the packet that `with` names; `remove`: remove the filter.",
)
.required("what the filter does: `action = \"drop\"`, `\"reject\"` or `\"remove\"`");
const WITH: Key<FilterVerdict> = Key::value(
    "with",
    Shape::OneOf(rejections),
    rejection,
    "The answer to the sender: `rst`, or an ICMP error such as `port-unreachable`. For `action = \"reject\"`.",
)
.sometimes(
    "the answer to the sender: `with = \"rst\"`, or an ICMP error such as `with = \"port-unreachable\"`",
);
const TO: Key<End> = end("to", "The direction; both, if absent.");
const WHAT: Key<Segments> = Key::word(
    "what",
    &WHAT_WORDS,
    "Which segments of the connection; `any`, if absent. `established`: the segments that connection tracking assigns to a tracked flow.",
);

pub(super) const KIND: Kind = Kind {
    word: "filter",
    about: "A router drops or rejects segments of the connection that it would forward.",
    keys: &[&ON, &ACTION, &WITH, &TO, &WHAT],
    relations: &[
        Relation::Only {
            key: "with",
            beside: "action",
            words: &["reject"],
            is_required: true,
        },
        Relation::Never("action", "remove", &["to", "what"]),
    ],
    of_family: true,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Filter, Reported> {
    let on = ON.need(table, cx);
    let verdict = match ACTION.need(table, cx)?.value {
        Word::Remove => {
            return Ok(Filter {
                on: on?.value,
                rule: None,
            });
        }
        Word::Drop => Ok(FilterVerdict::Drop),
        Word::Reject => WITH.need(table, cx).map(|at| at.value),
    };
    let to = TO.get(table, cx);
    let what = WHAT.get(table, cx);
    let (on, verdict, to, what) = (on?, verdict?, to?, what?);
    let rule = Rule {
        to: to.map(|at| at.value),
        what: what.map_or(Segments::Any, |at| at.value),
        verdict,
    };
    Ok(Filter {
        on: on.value,
        rule: Some(rule),
    })
}

fn rejection(value: &Value, cx: &mut Context) -> Result<FilterVerdict, Reported> {
    let Some(name) = value.as_str() else {
        return Err(value.expected("`rst` or the name of an ICMP message", None, cx));
    };
    if name == "rst" {
        return Ok(FilterVerdict::Rst);
    }
    let code = |family| {
        let mut known = unreachables(family);
        known
            .find(|(known, _)| *known == name)
            .map(|(_, code)| code)
    };
    let (ipv4, ipv6) = (code(Family::Ipv4), code(Family::Ipv6));
    if ipv4.is_some() || ipv6.is_some() {
        return Ok(FilterVerdict::Icmp(Unreachable { ipv4, ipv6 }));
    }
    let message = format!("`{name}` is not a value of `{}`", value.path());
    let list = |family| {
        unreachables(family)
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    let (v4, v6) = (list(Family::Ipv4), list(Family::Ipv6));
    let names = ["rst"]
        .into_iter()
        .chain(v4.iter().copied())
        .chain(v6.iter().copied());
    let help = match nearest(name, names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "it can be rst; over IPv4: {}; over IPv6: {}",
            v4.join(", "),
            v6.join(", ")
        ),
    };
    Err(value.wrong(Problem::new(message, help), cx))
}

/// All words for `with`, sorted: `rst`, and the ICMP errors of both families.
fn rejections() -> Vec<String> {
    let names = Family::ALL.into_iter().flat_map(unreachables);
    let words = ["rst"].into_iter().chain(names.map(|(name, _)| name));
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// The ICMP type "destination unreachable".
fn unreachable(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 3,
        Family::Ipv6 => 1,
    }
}

/// The ICMP errors that a filter can send, with their codes: "destination unreachable", except the
/// code "fragmentation needed", which is about the size of a packet.
fn unreachables(family: Family) -> impl Iterator<Item = (&'static str, u8)> {
    let fits = move |(name, kind, code): &(&'static str, u8, u8)| {
        (*kind == unreachable(family) && *name != "fragmentation-needed").then_some((*name, *code))
    };
    icmp_names(family == Family::Ipv6).iter().filter_map(fits)
}

impl Act for Filter {
    fn kind(&self) -> StepKind {
        match self.rule {
            Some(_) => StepKind::Fault,
            None => StepKind::Repair,
        }
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("on", self.on, Need::Router)]
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let on = self.on;
        let same = |fault: &Fault| matches!(fault, Fault::Filter(node, _) if *node == on);
        let Some(rule) = self.rule else {
            if world.end(same) {
                return Ok(());
            }
            let early = Refusal::new(format!("{} has no filter to remove", on.the()));
            return Err(
                early.help("add one in an earlier step: `do = \"filter\"`, `action = \"drop\"`")
            );
        };
        has_message(world, rule.verdict)?;
        distinguishable(world, rule.to, rule.what)?;
        if rule.what == Segments::Established {
            tracked(world, on)?;
        }
        if let Some(earlier) = world.find(same) {
            let twice = Refusal::new(format!("{} already has a filter", on.the())).because(earlier);
            return Err(twice.help("remove one of the two, or end the other in between"));
        }
        world.begin(Fault::Filter(on, rule));
        Ok(())
    }
}

/// Refuses an ICMP error that the family does not have.
fn has_message(world: &World, verdict: FilterVerdict) -> Result<(), Refusal> {
    let FilterVerdict::Icmp(message) = verdict else {
        return Ok(());
    };
    let family = world.family();
    if message.code(family).is_some() {
        return Ok(());
    }
    let other = family.other();
    let code = message.code(other);
    let name = code.and_then(|code| icmp_name(other == Family::Ipv6, (unreachable(other), code)));
    let text = format!(
        "`{}` is not an ICMP error of {family}",
        name.unwrap_or_default()
    );
    let whose = if world.setting().is_dual {
        "the step `family"
    } else {
        "the case `topology.family"
    };
    Err(Refusal::new(text).help(format!("give {whose} = \"{other}\"`, or another message")))
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = self.on.the();
        match self.rule {
            Some(rule) => write!(f, "{rule} at {on}"),
            None => write!(f, "remove the filter at {on}"),
        }
    }
}
