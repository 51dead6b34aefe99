//! Turns a [`FileDraft`] into a [`Scenario`]: checks the cases, and expands each case by address
//! family. A case in a dual-stack network becomes two variants.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::bounds;
use super::check;
use super::draft::{CaseDraft, ExpectationDraft, FileDraft};
use super::machines;
use crate::file::Diagnostic;
use crate::file::{Context, Given, Reported};
use crate::model::{End, Expectation, Expectations, Family, NodeSysctls, Stack};
use crate::scenario::{Case, CaseId, Scenario};
use crate::text::printable;

pub(super) fn scenario(
    path: &Path,
    text: &str,
    file: &FileDraft,
    cx: &mut Context,
) -> Result<Scenario, Reported> {
    let path = path.to_string_lossy();
    let path = PathBuf::from(printable(&path).into_owned());
    let stem = bounds::stem(&path, cx)?;
    bounds::whole(file, cx)?;
    let cases = cases(&stem, file, cx);
    Ok(Scenario {
        path,
        text: text.to_owned(),
        summary: file.summary.as_ref().map_err(|error| *error)?.value.clone(),
        source: file.source.clone()?.map(|at| at.value),
        cases: cases?,
    })
}

fn cases(stem: &str, file: &FileDraft, cx: &mut Context) -> Result<Vec<Case>, Reported> {
    let cases = file.cases.as_ref().map_err(|error| *error)?;
    let names = names_differ(cases, cx);
    let cases = match cases.as_slice() {
        [] => std::slice::from_ref(&file.own),
        cases => cases,
    };
    let resolved: Vec<_> = cases
        .iter()
        .map(|case| {
            check::case(case, file, cx);
            expand(stem, case, file, cx)
        })
        .collect();
    names?;
    let cases: Result<Vec<Vec<Case>>, Reported> = resolved.into_iter().collect();
    Ok(cases?.concat())
}

fn names_differ(cases: &[CaseDraft], cx: &mut Context) -> Result<(), Reported> {
    let mut earlier = HashMap::new();
    let mut result = Ok(());
    let blocks = cases.iter().filter_map(|case| case.block.as_ref());
    for name in blocks.filter_map(|block| block.name.as_ref().ok()) {
        let first = *earlier.entry(&name.value).or_insert(name);
        if first.span != name.span {
            let message = format!("two cases are named `{}`", name.value);
            let twice = Diagnostic::new(name.span.clone(), message)
                .related(first.span.clone(), "the first one")
                .help("give each case of a file a name of its own");
            result = Err(cx.report(twice));
        }
    }
    result
}

/// Expands a case: one [`Case`] for each family, and for each variant of a dual-stack network.
fn expand(
    stem: &str,
    case: &CaseDraft,
    file: &FileDraft,
    cx: &mut Context,
) -> Result<Vec<Case>, Reported> {
    let topology = check::network(case, file, cx);
    let firewall = machines::firewall(case, cx);
    let (name, note) = match &case.block {
        Some(block) => {
            let name = block.name.as_ref().map_err(|error| *error)?;
            (Some(&name.value), block.note.clone()?.map(|at| at.value))
        }
        None => (None, None),
    };
    let template = Case {
        id: CaseId(name.map_or_else(|| stem.to_owned(), |name| format!("{stem}/{name}"))),
        line: case.span().map_or(1, |header| cx.line(&header)),
        note,
        clock: check::clock(case, file, cx)?,
        family: Family::Ipv4,
        stack: Stack::Single,
        topology: topology?,
        firewall: firewall?,
        sysctl: sysctls(case)?,
        connection: case.connection()?,
        steps: case
            .steps()
            .map(|part| part.map(|part| part.step.clone()))
            .collect::<Result<_, _>>()?,
        expect: Expectations::default(),
    };
    let carried = case.carried()?.iter();
    let variants = carried.flat_map(|carried| {
        let families = carried.families().into_iter();
        families.map(|family| (carried.stack(), family))
    });
    let variant = |(stack, family): (Stack, Family)| {
        Ok(Case {
            id: CaseId(format!("{}/{}", template.id, stack.name(family))),
            family,
            stack,
            expect: Expectations {
                client: expectation(case.expectation(End::Client, family))?,
                server: expectation(case.expectation(End::Server, family))?,
            },
            ..template.clone()
        })
    };
    variants.map(variant).collect()
}

fn sysctls(case: &CaseDraft) -> Result<Vec<NodeSysctls>, Reported> {
    let sysctls = case.topology.sysctl.clone()?;
    let sysctls = sysctls.map(|at| at.value).unwrap_or_default();
    Ok(sysctls.into_iter().map(|at| at.value).collect())
}

fn expectation(given: &Given<Rc<ExpectationDraft>>) -> Result<Option<Expectation>, Reported> {
    let given = given.as_ref().map_err(|error| *error)?;
    Ok(given.as_ref().map(|at| at.value.expectation.clone()))
}
