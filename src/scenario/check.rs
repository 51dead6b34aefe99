//! What only a whole case can be wrong in: steps that need a node, an earlier step or a probe, and expectations that cannot come true.

use std::ops::Range;

use super::context::{Context, Given, Reported};
use super::diagnostic::Diagnostic;
use super::document::{CaseBlock, Document};
use super::middlebox_check as middlebox;
use super::model::{Action, End, Middlebox, Node, Topology};
use super::overlay::Overlaid;
use super::program_check;
use super::sequence;
use super::suggest::alternatives;

/// Reports what is wrong with the case; parts that are wrong by themselves have been reported before and are passed over.
pub(super) fn case(case: &Overlaid, document: &Document, cx: &mut Context) {
    nodes_exist(case, cx);
    firewall_has_a_router(case, cx);
    middlebox::steps(case, cx);
    program_check::steps(case, cx);
    sequence::steps(case, cx);
    awaited_probes_come(case, cx);
    expected_probes_come(case, cx);
    something_is_expected(case, document, cx);
}

/// Points at the case too, where the mistake stands in a part of the file that all cases share.
pub(super) fn in_case(case: &Overlaid, span: &Range<usize>, diagnostic: Diagnostic) -> Diagnostic {
    match case.span() {
        Some(header) if span.start < header.start => diagnostic.related(header, "in this case"),
        _ => diagnostic,
    }
}

fn nodes_exist(case: &Overlaid, cx: &mut Context) {
    let Ok(Some(preset)) = case.preset else {
        return;
    };
    let nodes = preset.value.nodes();
    for part in case.steps.iter().flatten() {
        let (Some(on), Some(span)) = (part.step.action.node(), &part.node) else {
            continue;
        };
        if nodes.contains(&on) {
            continue;
        }
        let message = format!("the `{}` topology has no {on}", preset.value);
        let routing = nodes.iter().filter(|node| **node != Node::Switch);
        let names: Vec<String> = routing.map(Node::to_string).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let loses = |action: &Action| {
            matches!(
                action,
                Action::Middlebox(Middlebox::Lose { .. } | Middlebox::StopLosing { .. })
            )
        };
        let help = match preset.value {
            Topology::Direct if loses(&part.step.action) => {
                "a cable loses nothing: there is a switch in `switched` and a router in `routed`"
                    .to_owned()
            }
            Topology::Switched if loses(&part.step.action) => "write `on = \"switch\"`".to_owned(),
            Topology::Routed if loses(&part.step.action) => "write `on = \"router\"`".to_owned(),
            _ => format!("its nodes with routes are {}", alternatives(&names, "and")),
        };
        let missing = Diagnostic::new(span.clone(), message).help(help);
        cx.report(in_case(case, span, missing));
    }
}

fn firewall_has_a_router(case: &Overlaid, cx: &mut Context) {
    let (Ok(Some(preset)), Ok(Some(firewall))) = (case.preset, case.firewall) else {
        return;
    };
    if preset.value.nodes().contains(&Node::Router) {
        return;
    }
    let span = firewall.span.clone();
    let message = format!(
        "the `{}` topology has no router to put a firewall on",
        preset.value
    );
    let nowhere = Diagnostic::new(span.clone(), message)
        .related(preset.span.clone(), "the topology")
        .help("write `preset = \"routed\"`, or remove `firewall`");
    cx.report(in_case(case, &span, nowhere));
}

/// Probes are waited for at the observed end: the client if it has keepalive, else the server.
fn awaited_probes_come(case: &Overlaid, cx: &mut Context) {
    let (client, server) = (case.keepalive(End::Client), case.keepalive(End::Server));
    if !matches!((client, server), (Ok(None), Ok(None))) {
        return;
    }
    for span in case
        .steps
        .iter()
        .flatten()
        .filter_map(|part| part.when.as_ref())
    {
        let message = "this step waits for probes, but neither end has keepalive";
        let never = Diagnostic::new(span.clone(), message).help(
            "set `connection.client.keepalive` or `connection.server.keepalive`, \
             or wait for a time with `after`",
        );
        cx.report(in_case(case, span, never));
    }
}

/// That no probe goes out may be expected of an end without keepalive too.
fn expected_probes_come(case: &Overlaid, cx: &mut Context) {
    for (end, expected) in [
        (End::Client, case.expect_client),
        (End::Server, case.expect_server),
    ] {
        let Ok(Some(expected)) = expected else {
            continue;
        };
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

fn something_is_expected(case: &Overlaid, document: &Document, cx: &mut Context) {
    if !matches!(
        (case.expect_client, case.expect_server),
        (Ok(None), Ok(None))
    ) {
        return;
    }
    let (span, what) = match case.span() {
        Some(header) => (Some(header), "case"),
        None => (header(&document.body.expect), "file"),
    };
    let help =
        "add `[expect.client]` or `[expect.server]` with `error = \"...\"` or `survives = \"...\"`";
    cx.report(Diagnostic::new(span, format!("the {what} expects nothing")).help(help));
}

/// The topology, which a file must give at its top or in each of its cases.
pub(super) fn preset(
    case: &Overlaid,
    document: &Document,
    cx: &mut Context,
) -> Result<Topology, Reported> {
    if let Some(preset) = case.preset? {
        return Ok(preset.value);
    }
    let gives = |block: &CaseBlock| match &block.body.topology {
        Ok(Some(part)) => !matches!(part.value.preset, Ok(None)),
        Ok(None) => false,
        Err(_) => true,
    };
    let missing = if document.cases.iter().flatten().any(gives) {
        let message = "neither this case nor the file has `topology.preset`";
        Diagnostic::new(case.span(), message)
    } else {
        let message = "the file has no `topology.preset`";
        Diagnostic::new(header(&document.body.topology), message)
    };
    Err(cx.report(missing.help("add `preset = \"direct\"`, `\"switched\"` or `\"routed\"`")))
}

fn header<T>(part: &Given<T>) -> Option<Range<usize>> {
    let part = part.as_ref().ok()?.as_ref()?;
    Some(part.span.clone())
}
