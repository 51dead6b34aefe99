//! Finds the part of a case for which the oracle has no rule. It removes parts of the case one by
//! one and calls the oracle again, so that the rules are in one place only.

use crate::model::End;
use crate::oracle::{self, Ticks};
use crate::scenario::Case;
use crate::setting;
use crate::step::{Action, NetworkAction};

/// Describes the part for which the oracle has no rule, for a case without a prediction at this
/// end: ``the step in line 12, `reboot the server` ``.
pub(super) fn cause(case: &Case, end: End, ticks: Ticks) -> String {
    let is_predicted = |case: &Case| oracle::predict(case, end, ticks).is_some();
    let up_to = |steps: usize| {
        let mut case = case.clone();
        case.steps.truncate(steps);
        case
    };
    let silent = (0..=case.steps.len()).find(|steps| !is_predicted(&up_to(*steps)));
    let steps = silent.unwrap_or(case.steps.len());
    let case = up_to(steps);
    let step = case.steps.last().map(|step| {
        let line = step.line;
        format!("the step in line {line}, `{step}`")
    });
    let settings = settings(&case);
    let alone = settings.iter().filter(|(_, without)| is_predicted(without));
    let alone: Vec<&str> = alone.map(|(name, _)| name.as_str()).collect();
    match (step, alone.as_slice()) {
        (Some(step), []) => step,
        (Some(step), alone) => format!("{step} with {}", alone.join(" and with ")),
        (None, []) if case.topology.unique_path().is_none() => {
            "`topology.links`, which have more than one path between the ends".to_owned()
        }
        (None, []) if settings.is_empty() => {
            "`topology.links`, one of which has a smaller MTU".to_owned()
        }
        (None, []) => {
            let all: Vec<&str> = settings.iter().map(|(name, _)| name.as_str()).collect();
            all.join(" with ")
        }
        (None, alone) => alone.join(" or "),
    }
}

/// Whether this end has no timer that detects a fault, although the other end has keepalive.
///
/// The oracle has no rule for the end whose own host crashes. For its socket, this is the same as a
/// crash of the other host: no segment arrives. Therefore the function exchanges the hosts.
pub(super) fn detects_nothing(case: &Case, end: End, ticks: Ticks) -> bool {
    let peer = end.peer();
    let has_keepalive = |end| case.connection.end(end).keepalive.is_some();
    if has_keepalive(end) || !has_keepalive(peer) {
        return false;
    }
    let mut case = case.clone();
    for step in &mut case.steps {
        match &mut step.action {
            Action::Network(NetworkAction::Crash(crash)) if crash.host == end => crash.host = peer,
            Action::Network(NetworkAction::Resume(resume)) if resume.host == end => {
                resume.host = peer;
            }
            Action::Network(_) | Action::Program(_) => {}
        }
    }
    oracle::predict(&case, end, ticks).is_some_and(|prediction| prediction.rule == oracle::NO_TIMER)
}

/// The settings of a case for which the oracle may have no rule, each with a copy of the case
/// without the setting.
fn settings(case: &Case) -> Vec<(String, Case)> {
    let mut found = Vec::new();
    let mut add = |name: String, remove: &dyn Fn(&mut Case)| {
        let mut without = case.clone();
        remove(&mut without);
        if without != *case {
            found.push((name, without));
        }
    };
    add("`topology.firewall`".to_owned(), &|case| {
        case.firewall = None;
    });
    add("`topology.sysctl`".to_owned(), &|case| case.sysctl.clear());
    for setting in setting::without_rule() {
        let key = setting.key.describe().name;
        for end in [End::Client, End::Server] {
            let Some(without) = setting.removed(case.connection.end(end)) else {
                continue;
            };
            add(format!("`connection.{end}.{key}`"), &|case| {
                *case.connection.end_mut(end) = without.clone();
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::Hz;
    use crate::scenario::parse;

    /// The cause at the client. The steps of the case are in line 3.
    fn cause_with(topology: &str, client: &str, step: &str) -> String {
        let text = format!(
            "summary = 's'\n\
             topology = {{ family = 'ipv4', {topology} }}\n\
             step = [{{ do = 'exchange' }}, {{ {step} }}]\n\
             connection.client = {{ keepalive = {{ time = '3s' }}, {client} }}\n\
             expect.client = {{ error = 'ETIMEDOUT', within = '1s..9s' }}\n"
        );
        let scenario = parse(Path::new("x.toml"), &text).unwrap();
        cause(
            &scenario.cases[0],
            End::Client,
            Hz::new(250).unwrap().into(),
        )
    }

    const ROUTED: &str = "preset = 'routed'";
    const CRASH: &str = "do = 'crash', host = 'server'";

    #[test]
    fn a_step_is_named_with_its_line() {
        let kill = "do = 'process', at = 'server', action = 'kill'";
        insta::assert_snapshot!(cause_with(ROUTED, "", kill), @"the step in line 3, `kill the server's process`");
    }

    #[test]
    fn a_step_that_has_a_rule_is_named_with_what_takes_it_away() {
        let firewall = "preset = 'routed', firewall = {}";
        insta::assert_snapshot!(cause_with(firewall, "", CRASH), @"the step in line 3, `crash the server` with `topology.firewall`");
    }

    #[test]
    fn a_setting_is_named_by_its_key() {
        let sysctl = "sysctl = { 'net.ipv4.tcp_retries2' = 5 }";
        assert_eq!(
            cause_with(ROUTED, sysctl, CRASH),
            "`connection.client.sysctl`"
        );
        let both = format!("{sysctl}, nodelay = false");
        assert_eq!(
            cause_with(ROUTED, &both, CRASH),
            "`connection.client.nodelay` with `connection.client.sysctl`"
        );
        let router = "preset = 'routed', sysctl = { router = { 'net.ipv4.ip_default_ttl' = 32 } }";
        assert_eq!(cause_with(router, "", CRASH), "`topology.sysctl`");
    }

    #[test]
    fn a_network_is_named_by_what_it_has_that_the_presets_have_not() {
        let network = |links: &str| {
            format!(
                "nodes = {{ r1 = 'router', r2 = 'router' }}, links = [\
                 {{ between = ['client', 'r1'] }}, {{ between = ['r2', 'server'] }}, {links}]"
            )
        };
        let narrow = network("{ between = ['r1', 'r2'], mtu = 1400 }");
        assert_eq!(
            cause_with(&narrow, "", CRASH),
            "`topology.links`, one of which has a smaller MTU"
        );
    }
}
