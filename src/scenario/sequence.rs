//! The sequence of the steps: each acts on the World as those before it have left it.

use std::ops::Range;

use super::Case;
use super::carried::Carried;
use super::case_error::in_case;
use super::draft::CaseDraft;
use crate::file::{Context, Diagnostic};
use crate::model::{End, Family, Role, Stack, Topology};
use crate::step::{self, Written};
use crate::world::{Cause, Change, Fault, Firewalled, Prober, Refusal, Setting, World};

/// Reports each step that names a machine that is not there, that ends what has not begun, that
/// begins what is there already, or that can never succeed; and each end that is expected to
/// observe something without a socket.
///
/// Each family has a World of its own. An error of one family alone names the family.
pub(super) fn steps(case: &CaseDraft, cx: &mut Context) {
    // Where the families are wrong, the steps are checked over the usual ones.
    let carried = case.carried();
    let mut families: Vec<Family> = carried
        .unwrap_or(&Carried::DEFAULT)
        .iter()
        .flat_map(|carried| carried.families())
        .collect();
    for part in case.steps().flatten() {
        for refusal in missing(case, part) {
            let wrong = told(case, &[], part, refusal);
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
            // In a dual-stack case, a step may wait for the probes of the other family.
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

/// What is wrong with a step.
#[derive(Clone, PartialEq, Eq)]
struct Wrong {
    step: Range<usize>,
    /// It waits for probes that never come.
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
    // A step that could not be read may be the very one that a later step needs.
    let written: Vec<&Written> = case.steps().map_while(Result::ok).collect();
    let opens = written.iter().position(|part| part.step.action.opens());
    // It may come after a step that could not be read.
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
        // A missing machine has been reported.
        let acted = if missing(case, part).is_empty() {
            part.step.act(&mut world)
        } else {
            Ok(())
        };
        let refusals = [waited.err(), acted.err()].into_iter().flatten();
        wrong.extend(refusals.map(|refusal| told(case, &written, part, refusal)));
        wrong.extend(blind(case, part, &mut world));
    }
    wrong
}

/// Why the topology has no machine for the step.
fn missing(case: &CaseDraft, part: &Written) -> Vec<Refusal> {
    let Ok(Some(network)) = &case.topology.network else {
        return Vec::new();
    };
    let machines = part.step.action.machines().into_iter();
    machines
        .filter_map(|named| named.check(&network.value).err())
        .collect()
}

/// A refusal in the file.
fn told(case: &CaseDraft, written: &[&Written], part: &Written, refusal: Refusal) -> Wrong {
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

/// An end whose program has no socket any more cannot observe what is expected of it.
fn blind(case: &CaseDraft, part: &Written, world: &mut World) -> Option<Wrong> {
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
        .related(expected.span.clone(), "and this is expected of it")
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
    /// The World before the first step.
    #[must_use]
    pub fn world(&self) -> World {
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

    /// The step, by its position, that keeps an exchange at the end of the case from completing;
    /// `None` where one can complete.
    #[must_use]
    pub(crate) fn unrepaired(&self) -> Option<usize> {
        let mut world = self.world();
        for (position, step) in self.steps.iter().enumerate() {
            // A checked case has no step that is refused.
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
