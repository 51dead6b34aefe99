//! Checks of the machines that a case names outside its steps: for sysctls, for expectations, and
//! for the firewall.

use std::ops::Range;

use super::case_error::in_case;
use super::draft::CaseDraft;
use crate::file::{At, Context, Diagnostic, Reported};
use crate::model::{End, Firewall, Node, Preset, Role, Topology};
use crate::suggest::alternatives;
use crate::world::{Named, Need};

/// Reports each sysctl table and each expectation that names a machine which is not in the
/// topology. The machine of an expectation must also be a host or a router.
pub(super) fn names(case: &CaseDraft, cx: &mut Context) {
    let Ok(Some(network)) = &case.topology.network else {
        return;
    };
    let sysctls = case.topology.sysctl.as_ref().ok().and_then(Option::as_ref);
    for at in sysctls.map_or(&[][..], |sysctls| &sysctls.value) {
        report(
            case,
            &network.value,
            (at.value.node, &at.span),
            Need::Any,
            cx,
        );
    }
    let expected = [End::Client, End::Server].map(|end| case.expectations(end));
    let named = expected
        .into_iter()
        .flatten()
        .filter_map(|part| part.value.machine.as_ref());
    for At { value, span } in named {
        report(case, &network.value, (*value, span), Need::Routes, cx);
    }
}

fn report(
    case: &CaseDraft,
    topology: &Topology,
    (node, span): (Node, &Range<usize>),
    need: Need,
    cx: &mut Context,
) {
    if let Some(wrong) = wrong(topology, (node, span), need) {
        cx.report(in_case(case, span, wrong));
    }
}

fn wrong(
    topology: &Topology,
    (node, span): (Node, &Range<usize>),
    need: Need,
) -> Option<Diagnostic> {
    let refusal = Named::new("", node, need).check(topology).err()?;
    Some(Diagnostic::new(span.clone(), refusal.message).help(refusal.help))
}

/// The firewall of a case, on the router that it names, or on the only router of the topology.
pub(super) fn firewall(case: &CaseDraft, cx: &mut Context) -> Result<Option<Firewall>, Reported> {
    let firewall = case.topology.firewall.as_ref().map_err(|error| *error)?;
    let network = case.topology.network.as_ref().map_err(|error| *error)?;
    let (Some(part), Some(network)) = (firewall, network) else {
        return Ok(None);
    };
    let topology = &network.value;
    let wrong = match &part.value.on {
        Some(on) => match wrong(topology, (on.value, &on.span), Need::Router) {
            None => return Ok(Some(part.value.at(on.value))),
            Some(wrong) => wrong,
        },
        None => {
            let routers: Vec<Node> = topology.of_role(Role::Router).collect();
            match routers.as_slice() {
                [only] => return Ok(Some(part.value.at(*only))),
                [] => no_router(topology, &part.span).related(network.span.clone(), "the topology"),
                several => {
                    let names: Vec<&str> = several.iter().map(Node::name).collect();
                    let message = "this topology has several routers: the firewall must name one";
                    let help = format!("add `on`: {}", alternatives(&names, "or"));
                    Diagnostic::new(part.span.clone(), message).help(help)
                }
            }
        }
    };
    Err(cx.report(in_case(case, &part.span, wrong)))
}

fn no_router(topology: &Topology, span: &Range<usize>) -> Diagnostic {
    let which = match topology.preset() {
        Some(preset) => format!("the `{preset}` topology"),
        None => "the topology".to_owned(),
    };
    let message = format!("{which} has no router for a firewall");
    let help = format!(
        "write `preset = \"{}\"`, or remove `firewall`",
        Preset::Routed
    );
    Diagnostic::new(span.clone(), message).help(help)
}
