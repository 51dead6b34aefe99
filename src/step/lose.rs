//! `lose`: a router or a switch drops incoming segments.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::impair::SEED;
use super::{Act, Kind, Named, Need, SEGMENTS, StepKind, distinguishable};
use crate::file::{
    Context, Diagnostic, Key, Relation, Reported, Shape, Table, Value, end, machine, percent,
};
use crate::model::{End, Loss, Node, Segments, Which};
use crate::world::{Fault, Refusal, World};

/// Makes a router or a switch silently drop segments of the connection as they arrive, or ends
/// that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lose {
    /// The machine.
    pub(crate) on: Node,
    /// The direction.
    pub(crate) to: End,
    /// The segments that are dropped; `None` ends the loss in this direction.
    pub(crate) loss: Option<Loss>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Start,
    Stop,
}

/// The largest number of a segment in `nth`. For later segments, `fraction` is the better choice.
const LAST_NUMBER: u64 = 1000;

const ON: Key<Node> =
    machine("on", "The router or switch.").required("where it is done: `on = \"router\"`");
const TO: Key<End> = end("to", "The direction.")
    .required("the direction of the lost segments: `to = \"client\"` or `to = \"server\"`");
const ACTION: Key<Word> = Key::word(
    "action",
    &[("start", Word::Start), ("stop", Word::Stop)],
    "`start`: drop segments; `stop`: drop no more segments in this direction. `start`, if absent.",
);
const WHAT: Key<Segments> = Key::word(
    "what",
    &SEGMENTS,
    "Which segments of the connection; `any`, if absent.",
);
const NTH: Key<Vec<u32>> = Key::value(
    "nth",
    Shape::OneOrMore(&Shape::Integer(1, LAST_NUMBER)),
    numbers,
    "The numbers of the segments to drop; the first segment after the start of the step has the number 1. All, if absent.",
);
const FRACTION: Key<u8> = Key::value(
    "fraction",
    Shape::Share(99),
    percent,
    "The share of the segments to drop, chosen at random. Needs `seed`.",
);

pub(super) const KIND: Kind = Kind {
    word: "lose",
    about: "A router or a switch silently drops segments of the connection as they arrive.",
    keys: &[&ON, &TO, &ACTION, &WHAT, &NTH, &FRACTION, &SEED],
    relations: &[
        Relation::Never("action", "stop", &["what", "nth", "fraction", "seed"]),
        Relation::Excludes(&["nth"], &["fraction"]),
        Relation::Needs("fraction", &["seed"]),
        Relation::Needs("seed", &["fraction"]),
    ],
    of_family: true,
};

pub(super) fn read(table: &mut Table, cx: &mut Context) -> Result<Lose, Reported> {
    let on = ON.need(table, cx);
    let to = TO.need(table, cx);
    let action = ACTION.get(table, cx)?;
    if action.is_some_and(|at| at.value == Word::Stop) {
        return Ok(Lose {
            on: on?.value,
            to: to?.value,
            loss: None,
        });
    }
    let what = WHAT.get(table, cx);
    let which = which(table, cx);
    let (on, to, what, which) = (on?.value, to?.value, what?, which?);
    let what = what.map_or(Segments::Any, |at| at.value);
    let loss = Some(Loss { to, what, which });
    Ok(Lose { on, to, loss })
}

fn which(table: &mut Table, cx: &mut Context) -> Result<Which, Reported> {
    let nth = NTH.get(table, cx);
    let fraction = FRACTION.get(table, cx);
    let seed = SEED.get(table, cx);
    match (nth?, fraction?, seed?) {
        (Some(nth), Some(fraction), _) => {
            let clash = Diagnostic::new(fraction.span, "a step has both `nth` and `fraction`")
                .related(nth.span, "`nth` is given here")
                .help("remove one of them");
            Err(cx.report(clash))
        }
        (_, None, Some(seed)) => {
            let alone = Diagnostic::new(seed.span, "`seed` is given without `fraction`");
            Err(cx.report(alone.help("add `fraction = \"30%\"`, or remove `seed`")))
        }
        (_, Some(fraction), None) => {
            let unseeded = Diagnostic::new(fraction.span, "`fraction` is given without `seed`");
            let help = "add `seed = 1`, or any other number: the same seed drops the same segments in every run";
            Err(cx.report(unseeded.help(help)))
        }
        (Some(nth), None, None) => Ok(Which::Nth(nth.value)),
        (None, Some(fraction), Some(seed)) => Ok(Which::Fraction {
            percent: fraction.value,
            seed: seed.value,
        }),
        (None, None, None) => Ok(Which::All),
    }
}

/// Reads `3`, or a list such as `[1, 3]` in ascending order.
fn numbers(value: &Value, cx: &mut Context) -> Result<Vec<u32>, Reported> {
    let number = |value: &Value, cx: &mut Context| {
        value.integer(1..=LAST_NUMBER, |number| u32::try_from(number).ok(), cx)
    };
    if value.is_integer() {
        return Ok(vec![number(value, cx)?]);
    }
    let mut numbers = Vec::new();
    for element in value.list("numbers, counted from 1", cx)? {
        let next = number(&element, cx)?;
        if numbers.last().is_some_and(|last| *last >= next) {
            let message = format!("`{}` is not in order", value.path());
            let wrong = Diagnostic::new(element.span(), message);
            return Err(cx.report(wrong.help("list each number once, the smallest first")));
        }
        numbers.push(next);
    }
    if numbers.is_empty() {
        let empty = Diagnostic::new(value.span(), format!("`{}` is empty", value.path()));
        return Err(cx.report(empty.help("list the numbers of the segments to drop: `[1, 3]`")));
    }
    Ok(numbers)
}

impl Act for Lose {
    fn kind(&self) -> StepKind {
        match self.loss {
            Some(_) => StepKind::Fault,
            None => StepKind::Repair,
        }
    }

    fn machines(&self) -> Vec<Named> {
        vec![Named::new("on", self.on, Need::Forwards)]
    }

    fn act(&self, world: &mut World) -> Result<(), Refusal> {
        let (on, to) = (self.on, self.to);
        let same = |fault: &Fault| matches!(fault, Fault::Loss(node, loss) if (*node, loss.to) == (on, to));
        let Some(loss) = &self.loss else {
            if world.end(same) {
                return Ok(());
            }
            let early = Refusal::new(format!(
                "{} drops no segments to the {to}, so there is nothing to stop",
                on.the()
            ));
            return Err(early.help(format!(
                "add an earlier step: `do = \"lose\"`, `on = \"{on}\"`, `to = \"{to}\"`"
            )));
        };
        distinguishable(world, Some(to), loss.what)?;
        if let Some(earlier) = world.find(same) {
            let message = format!("{} already drops segments to the {to}", on.the());
            let twice = Refusal::new(message).because(earlier);
            return Err(twice.help("remove one of the two, or end the other in between"));
        }
        world.begin(Fault::Loss(on, loss.clone()));
        Ok(())
    }
}

impl fmt::Display for Lose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = self.on.the();
        match &self.loss {
            Some(loss) => write!(f, "lose {loss} at {on}"),
            None => write!(f, "stop losing segments to the {} at {on}", self.to),
        }
    }
}
