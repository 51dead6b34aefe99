//! Checks that need the whole case: for steps that need a node, an earlier step or a probe, and for
//! expectations that can never be met.

use super::case_error::in_case;
use super::draft::{CaseDraft, FileDraft};
use super::family_check;
use super::machines;
use super::memory_check;
use super::sequence;
use crate::file::Diagnostic;
use crate::file::{Context, Reported};
use crate::model::{End, Family, Topology};
use crate::scenario::Clock;
use crate::step::WAIT;

/// Reports the errors of a case. Parts that are invalid by themselves have been reported already,
/// and are skipped.
pub(super) fn case(case: &CaseDraft, file: &FileDraft, cx: &mut Context) {
    machines::names(case, cx);
    family_check::families(case, cx);
    sequence::steps(case, cx);
    memory_check::steps(case, cx);
    awaited_probes_come(case, cx);
    expected_probes_come(case, cx);
    something_is_expected(case, file, cx);
}

/// Reports each step that waits for probes if neither end has keepalive. A step waits for the
/// probes of the observed end: the client if it has keepalive, else the server.
fn awaited_probes_come(case: &CaseDraft, cx: &mut Context) {
    let (client, server) = (case.keepalive(End::Client), case.keepalive(End::Server));
    if !matches!((client, server), (Ok(None), Ok(None))) {
        return;
    }
    for span in case.steps().flatten().filter_map(|part| part.place(WAIT)) {
        let message = "this step waits for probes, but neither end has keepalive";
        let never = Diagnostic::new(span.clone(), message).help(
            "set `connection.client.keepalive` or `connection.server.keepalive`, \
             or wait for a time with `after`",
        );
        cx.report(in_case(case, &span, never));
    }
}

/// Reports an expectation of probes for an end without keepalive. An expectation that zero probes
/// meet is valid there too.
fn expected_probes_come(case: &CaseDraft, cx: &mut Context) {
    let of_end = |end| case.expectations(end).into_iter().map(move |at| (end, at));
    for (end, expected) in of_end(End::Client).chain(of_end(End::Server)) {
        let (Ok(None), Some(span)) = (case.keepalive(end), &expected.value.probes) else {
            continue;
        };
        if expected.value.expectation.probes.is_met_by_none() {
            continue;
        }
        let message = format!("probes are expected of the {end}, which has no keepalive");
        let never = Diagnostic::new(span.clone(), message).help(format!(
            "set `connection.{end}.keepalive`, or remove `probes`"
        ));
        cx.report(in_case(case, span, never));
    }
}

/// Reports a case that has no expectation for one of its families.
fn something_is_expected(case: &CaseDraft, file: &FileDraft, cx: &mut Context) {
    let carried = case.carried().unwrap_or_default().iter();
    let families: Vec<Family> = carried.flat_map(|carried| carried.families()).collect();
    let nothing = |family: &Family| {
        let ends = [End::Client, End::Server];
        ends.iter()
            .all(|end| matches!(case.expectation(*end, *family), Ok(None)))
    };
    let Some(family) = families.iter().copied().find(nothing) else {
        return;
    };
    let (span, what) = match case.span() {
        Some(header) => (Some(header), "case"),
        None => (file.own.expect.span.clone(), "file"),
    };
    let all = families.iter().all(nothing);
    let of = if all {
        String::new()
    } else {
        format!(" over {family}")
    };
    let own = if all {
        String::new()
    } else {
        format!(", or `[expect.{family}.client]` for this family alone,")
    };
    let help = format!(
        "add `[expect.client]` or `[expect.server]`{own} with `error = \"...\"` or `survives = \"...\"`"
    );
    cx.report(Diagnostic::new(span, format!("the {what} expects nothing{of}")).help(help));
}

/// The topology of a case, from its own tables or from the file's. A case without one is an error.
pub(super) fn network(
    case: &CaseDraft,
    file: &FileDraft,
    cx: &mut Context,
) -> Result<Topology, Reported> {
    if let Some(network) = case.topology.network.as_ref().map_err(|error| *error)? {
        return Ok(network.value.clone());
    }
    let mut cases = file.cases.iter().flatten();
    let missing = if cases.any(|case| case.topology.has_own_network) {
        let message = "neither this case nor the file has `topology.preset`, or `links`";
        Diagnostic::new(case.span(), message)
    } else {
        let message = "the file has no `topology.preset`, and no `links`";
        Diagnostic::new(file.own.topology.span.clone(), message)
    };
    Err(cx.report(
        missing.help(
            "add `preset = \"direct\"`, `\"switched\"` or `\"routed\"`, or `nodes` and `links`",
        ),
    ))
}

/// The clock that the case can run on, from `clock` of the file and `slow` of the case.
pub(super) fn clock(
    case: &CaseDraft,
    file: &FileDraft,
    cx: &mut Context,
) -> Result<Clock, Reported> {
    let slow = case.slow.clone()?.filter(|slow| slow.value);
    let Some(clock) = file.clock.clone()? else {
        return Ok(slow.map_or(Clock::Any, |_| Clock::Slow));
    };
    match (clock.value, slow) {
        (clock, None) => Ok(clock),
        (Clock::Virtual, Some(slow)) => {
            let message = "a case that runs only in virtual time cannot be slow";
            let both = Diagnostic::new(slow.span.clone(), message)
                .related(clock.span, "`clock` is given here");
            let both = both.help("remove one of the two: in virtual time nothing is slow");
            Err(cx.report(in_case(case, &slow.span, both)))
        }
        (_, Some(_)) => Ok(Clock::Slow),
    }
}
