//! Whether a box between the hosts can do what a case asks of it.

use std::ops::Range;

use super::check::in_case;
use super::context::Context;
use super::diagnostic::Diagnostic;
use super::document::StepPart;
use super::overlay::Overlaid;
use crate::model::{End, Family, icmp_name};
use crate::scenario::carried::Carried;
use crate::step::{Action, FilterVerdict, Middlebox, Segments, Unreachable};

/// Reports each step that the case's families, connection or firewall do not allow for.
pub(super) fn steps(case: &Overlaid, cx: &mut Context) {
    for part in case.steps.iter().flatten() {
        let Action::Middlebox(step) = &part.step.action else {
            continue;
        };
        let problems = [
            has_message(case, part, step),
            can_tell(case, step, &part.verb),
            tracks(case, step, &part.verb),
        ];
        for problem in problems.into_iter().flatten() {
            cx.report(in_case(case, &part.verb, problem));
        }
    }
}

/// An ICMP message that one of the case's families does not have.
fn has_message(case: &Overlaid, part: &StepPart, step: &Middlebox) -> Option<Diagnostic> {
    let Middlebox::Filter { filter, .. } = step else {
        return None;
    };
    let FilterVerdict::Icmp(message) = filter.verdict else {
        return None;
    };
    let carried = case.carried().ok()?;
    let mut families = carried.iter().flat_map(|carried| carried.families());
    let lacking =
        families.find(|family| part.step.concerns(*family) && message.code(*family).is_none())?;
    let having = match lacking {
        Family::Ipv4 => Family::Ipv6,
        Family::Ipv6 => Family::Ipv4,
    };
    let text = format!(
        "{lacking} has no ICMP message `{}`",
        name(message, having).unwrap_or("of this name")
    );
    let whose = if carried.contains(&Carried::Both) {
        "the step `family"
    } else {
        "the case `topology.family"
    };
    let help = format!("give {whose} = \"{having}\"`, or another message");
    Some(Diagnostic::new(part.verb.clone(), text).help(help))
}

fn name(message: Unreachable, family: Family) -> Option<&'static str> {
    let is_ipv6 = family == Family::Ipv6;
    let kind = if is_ipv6 { 1 } else { 3 };
    icmp_name(is_ipv6, (kind, message.code(family)?))
}

/// A probe looks like any other bare acknowledgement, so only one end may send some.
fn can_tell(case: &Overlaid, step: &Middlebox, verb: &Range<usize>) -> Option<Diagnostic> {
    let (to, what) = match step {
        Middlebox::Filter { filter, .. } => (filter.to, filter.what),
        Middlebox::Lose { loss, .. } => (Some(loss.to), loss.what),
        _ => return None,
    };
    let (sends_probes, words) = match what {
        Segments::Probes => (to.map(End::peer), "keepalive probes"),
        Segments::Answers => (to, "keepalive answers"),
        _ => return None,
    };
    let Some(prober) = sends_probes else {
        let message = format!("{words} go in one direction");
        let both = Diagnostic::new(verb.clone(), message);
        return Some(both.help("add `to = \"client\"` or `to = \"server\"`"));
    };
    let probes = |end| case.keepalive(end).map(|keepalive| keepalive.is_some());
    let (Ok(prober_does), Ok(other_does)) = (probes(prober), probes(prober.peer())) else {
        return None;
    };
    if !prober_does {
        let message =
            format!("there are no {words} in this direction: the {prober} has no keepalive");
        let none = Diagnostic::new(verb.clone(), message);
        return Some(none.help(format!("set `connection.{prober}.keepalive`")));
    }
    other_does.then(|| {
        let message = format!("no filter can tell {words} here, because both ends have keepalive");
        let both = Diagnostic::new(verb.clone(), message);
        both.help(
            "a probe looks like the answer to the other end's: take keepalive from one of the ends",
        )
    })
}

/// Flows are forgotten, or known, only where they are tracked from the beginning.
fn tracks(case: &Overlaid, step: &Middlebox, verb: &Range<usize>) -> Option<Diagnostic> {
    let needs = match step {
        Middlebox::Filter { filter, .. } => filter.what == Segments::Established,
        Middlebox::Flush { .. } | Middlebox::Remember { .. } => true,
        _ => false,
    };
    if !needs {
        return None;
    }
    let untracked = Diagnostic::new(verb.clone(), "this router knows of no flows");
    match case.firewall {
        Ok(None) => Some(untracked.help("add `firewall = {}` to `[topology]`")),
        Ok(Some(firewall)) => {
            let on = firewall.value.on.as_ref();
            let elsewhere = on.filter(|on| on.value != step.node())?;
            let untracked = untracked.related(elsewhere.span.clone(), "the firewall is there");
            Some(untracked.help(format!("write `on = \"{}\"`", elsewhere.value)))
        }
        Err(_) => None,
    }
}
