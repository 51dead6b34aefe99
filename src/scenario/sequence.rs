//! The check of the step sequence: each step acts on the World in the state after the previous
//! step.

use std::ops::Range;

use super::Case;
use super::carried::Carried;
use super::case_error::in_case;
use super::draft::CaseDraft;
use crate::file::{Context, Diagnostic};
use crate::model::{End, Family, Role, Stack, Topology};
use crate::step::{self, Written};
use crate::world::{Cause, Change, Fault, Firewalled, Prober, Refusal, Setting, World};

/// Reports each step that names a machine which is not in the topology, that ends a fault which has
/// not begun, that begins a fault which is already present, or that can never succeed. Also reports
/// each end that has an expectation but cannot observe anything.
///
/// Each family has a separate World. An error that only one family has names the family.
pub(super) fn steps(case: &CaseDraft, cx: &mut Context) {
    // If the families are invalid, the steps are checked over the default families.
    let carried = case.carried();
    let mut families: Vec<Family> = carried
        .unwrap_or(&Carried::DEFAULT)
        .iter()
        .flat_map(|carried| carried.families())
        .collect();
    for part in case.steps().flatten() {
        for refusal in missing_machines(case, part) {
            let wrong = to_error(case, &[], part, refusal);
            cx.report(in_case(case, &wrong.step, wrong.diagnostic));
        }
    }
    let is_dual = is_dual(case);
    families.sort();
    families.dedup();
    let wrong: Vec<Vec<Wrong>> = families.iter().map(|family| walk(case, *family)).collect();
    for (family, of_family) in families.iter().zip(&wrong) {
        let others = || wrong.iter().filter(|other| *other != of_family);
        for wrong in of_family {
            let is_everywhere = others().all(|other| other.contains(wrong));
            // In a dual-stack case, a step may wait for the probes of the other family, so it is an
            // error only if it waits in vain over all families.
            let may_come = others().any(|other| !other.iter().any(|other| other.waits_too(wrong)));
            if is_dual && wrong.waits && may_come {
                continue;
            }
            let mut diagnostic = wrong.diagnostic.clone();
            if !is_everywhere {
                diagnostic.message = format!("over {family}, {}", diagnostic.message);
            }
            cx.report(in_case(case, &wrong.step, diagnostic));
        }
    }
}

/// An error of a step.
#[derive(Clone, PartialEq, Eq)]
struct Wrong {
    step: Range<usize>,
    /// The error is that the step waits for probes that are never sent or answered.
    waits: bool,
    diagnostic: Diagnostic,
}

impl Wrong {
    fn waits_too(&self, other: &Self) -> bool {
        self.waits && self.step == other.step
    }
}

fn walk(case: &CaseDraft, family: Family) -> Vec<Wrong> {
    let setting = setting(case, family);
    // The walk ends at the first invalid step: a later step may need its effect.
    let written: Vec<&Written> = case.steps().map_while(Result::ok).collect();
    let opens = written.iter().position(|part| part.step.action.opens());
    // The step that opens the connections may come after an invalid step.
    let is_opener = |part: &Written| part.step.action.opens();
    let opens = opens.or_else(|| {
        case.steps()
            .flatten()
            .any(is_opener)
            .then_some(written.len())
    });
    let mut world = World::new(setting, opens);
    let mut wrong = Vec::new();
    for (position, part) in written.iter().enumerate() {
        let waited = part.step.begin(position, &mut world);
        // A missing machine has been reported already.
        let acted = if missing_machines(case, part).is_empty() {
            part.step.act(&mut world)
        } else {
            Ok(())
        };
        let refusals = [waited.err(), acted.err()].into_iter().flatten();
        wrong.extend(refusals.map(|refusal| to_error(case, &written, part, refusal)));
        wrong.extend(unobservable(case, part, &mut world));
    }
    wrong
}

/// The refusals for the machines that the step names: a machine is not in the topology, or does not
/// meet the step's need.
fn missing_machines(case: &CaseDraft, part: &Written) -> Vec<Refusal> {
    let Ok(Some(network)) = &case.topology.network else {
        return Vec::new();
    };
    let machines = part.step.action.machines().into_iter();
    machines
        .filter_map(|named| named.check(&network.value).err())
        .collect()
}

/// Converts a refusal to an error with spans in the file.
fn to_error(case: &CaseDraft, written: &[&Written], part: &Written, refusal: Refusal) -> Wrong {
    let verb = part.verb.clone();
    let place = refusal.key.and_then(|key| part.place(key));
    let waits = refusal.key == Some(step::WAIT);
    let mut diagnostic = Diagnostic::new(place.unwrap_or_else(|| verb.clone()), refusal.message);
    for (cause, label) in refusal.causes {
        let place = match cause {
            Cause::Step(position) => written.get(position).map(|part| part.verb.clone()),
            Cause::Firewall => firewall_place(case),
        };
        if let Some(place) = place {
            diagnostic = diagnostic.related(place, label);
        }
    }
    Wrong {
        step: verb,
        waits,
        diagnostic: diagnostic.help(refusal.help),
    }
}

fn firewall_place(case: &CaseDraft) -> Option<Range<usize>> {
    let firewall = case.topology.firewall.as_ref().ok()?.as_ref()?;
    let on = firewall.value.on.as_ref();
    Some(on.map_or_else(|| firewall.span.clone(), |on| on.span.clone()))
}

/// Returns an error if an end that has an expectation can observe nothing after this step: its
/// socket is closed, or the server accepts no connection.
fn unobservable(case: &CaseDraft, part: &Written, world: &mut World) -> Option<Wrong> {
    let end = world
        .take_changes()
        .into_iter()
        .find_map(|change| match change {
            Change::Began(Fault::Closed(end)) => Some(end),
            Change::Began(Fault::NotAccepting { passes: false, .. }) => Some(End::Server),
            _ => None,
        })?;
    let expected = case.expectations(end).into_iter().next()?;
    let why = match world.find(|fault| *fault == Fault::Closed(end)) {
        Some(_) => "its socket is closed",
        None => "it accepts no connection",
    };
    let message = format!("the {end} cannot observe anything after this step: {why}");
    let diagnostic = Diagnostic::new(part.verb.clone(), message)
        .related(expected.span.clone(), "this is expected of it")
        .help(format!("expect something of the {} alone", end.peer()));
    Some(Wrong {
        step: part.verb.clone(),
        waits: false,
        diagnostic,
    })
}

fn setting(case: &CaseDraft, family: Family) -> Setting {
    let network = case.topology.network.as_ref().ok();
    let topology = network
        .and_then(Option::as_ref)
        .map(|network| network.value.clone());
    let keepalive = |end| {
        case.keepalive(end)
            .ok()
            .map(|keepalive| keepalive.is_some())
    };
    let observed = match case.keepalive(End::Client) {
        Ok(Some(_)) => Some(End::Client),
        Ok(None) => Some(End::Server),
        Err(_) => None,
    };
    let prober = observed.and_then(|end| {
        case.keepalive(end).ok()??;
        Some(Prober::new(end, case.end(end).unanswered_probes()))
    });
    Setting {
        family,
        is_dual: is_dual(case),
        firewall: firewalled(case, topology.as_ref()),
        topology,
        keepalive: [keepalive(End::Client), keepalive(End::Server)],
        prober,
    }
}

fn is_dual(case: &CaseDraft) -> bool {
    let carried = case.carried().unwrap_or_default();
    !carried.is_empty() && carried.iter().all(|carried| carried.stack() == Stack::Dual)
}

fn firewalled(case: &CaseDraft, topology: Option<&Topology>) -> Firewalled {
    match &case.topology.firewall {
        Ok(None) => Firewalled::No,
        Ok(Some(firewall)) => {
            let named = firewall.value.on.as_ref().map(|on| on.value);
            let only = || {
                let mut routers = topology?.of_role(Role::Router);
                routers.next().filter(|_| routers.next().is_none())
            };
            named
                .or_else(only)
                .map_or(Firewalled::Unknown, Firewalled::At)
        }
        Err(_) => Firewalled::Unknown,
    }
}

impl Case {
    /// The state of the World before the first step.
    #[must_use]
    pub(crate) fn world(&self) -> World {
        let keepalive = |end| self.connection.end(end).keepalive;
        let prober = self.connection.observed_end();
        let prober =
            prober.map(|end| Prober::new(end, self.connection.end(end).unanswered_probes()));
        let setting = Setting {
            family: self.family,
            is_dual: self.stack == Stack::Dual,
            topology: Some(self.topology.clone()),
            firewall: self
                .firewall
                .map_or(Firewalled::No, |firewall| Firewalled::At(firewall.on)),
            keepalive: [End::Client, End::Server].map(|end| Some(keepalive(end).is_some())),
            prober,
        };
        World::new(
            setting,
            self.steps.iter().position(|step| step.action.opens()),
        )
    }

    /// The position of a step whose effect prevents an exchange at the end of the case; `None` if
    /// an exchange can complete.
    #[must_use]
    pub(crate) fn unrepaired(&self) -> Option<usize> {
        let mut world = self.world();
        for (position, step) in self.steps.iter().enumerate() {
            // No step of a checked case is refused.
            step.begin(position, &mut world).ok();
            step.act(&mut world).ok();
        }
        let obstacles = world.obstacles();
        obstacles.into_iter().find_map(|fact| match fact.cause {
            Cause::Step(position) => Some(position),
            Cause::Firewall => None,
        })
    }
}
