//! Checks of steps and expectations that are for one family.

use super::case_error::in_case;
use super::draft::CaseDraft;
use crate::file::Context;
use crate::file::Diagnostic;
use crate::model::Family;
use crate::scenario::carried::Carried;

/// Reports each step for one family in a case whose network does not carry both families, and each
/// expectation for a family that no connection of the case runs over.
pub(super) fn families(case: &CaseDraft, cx: &mut Context) {
    let Ok(carried) = case.carried() else {
        return;
    };
    steps(case, carried, cx);
    expectations(case, carried, cx);
}

/// Reports an expectation for one family that counts ICMP errors of the other family: a connection
/// receives only the ICMP errors of its own family.
fn messages(case: &CaseDraft, family: Family, cx: &mut Context) {
    let own = case.expect.of(family).own.as_ref();
    for part in own.map_or(&[][..], |own| &own.value) {
        let mut asked = part.value.expectation.evidence.icmp.iter();
        if asked.all(|(kind, _)| kind.family == family) {
            continue;
        }
        let other = family.other();
        let message = format!("a connection over {family} receives no ICMP error of {other}");
        let idle = Diagnostic::new(part.span.clone(), message);
        cx.report(idle.help(format!(
            "give `icmp = {{ {family} = ... }}` here, and `icmp = {{ {other} = ... }}` in `expect.{other}`"
        )));
    }
}

fn steps(case: &CaseDraft, carried: &[Carried], cx: &mut Context) {
    if carried.iter().all(|carried| *carried == Carried::Both) {
        return;
    }
    let named = case.steps().flatten();
    for span in named.filter_map(|part| part.place("family")) {
        let message = "a step of one family needs a network that carries both";
        let alone = Diagnostic::new(span.clone(), message);
        let help = "give the case `topology.family = \"dual\"` and no other, or remove `family`";
        cx.report(in_case(case, &span, alone.help(help)));
    }
}

fn expectations(case: &CaseDraft, carried: &[Carried], cx: &mut Context) {
    for family in Family::ALL {
        messages(case, family, cx);
        let has = |carried: &Carried| carried.families().contains(&family);
        let own = case.expect.of(family).own.as_ref();
        let Some(own) = own.filter(|_| !carried.iter().any(has)) else {
            continue;
        };
        let message = format!("no connection of this case runs over {family}");
        let idle = Diagnostic::new(own.span.clone(), message);
        cx.report(idle.help(format!(
            "remove `expect.{family}`, or add `\"{family}\"` or `\"dual\"` to `topology.family`"
        )));
    }
}
