//! The networks for which the rules hold: one path between the ends, and all steps act on it.
//!
//! The rules do not cover a router with a second path, nor the time in which it detects that it
//! needs one. They do not cover the arrival of data whose packets are too large for a link of the
//! path: the sender detects the MTU by losing some (`tcp_v4_mtu_reduced`). A sysctl of a machine
//! between the ends may change any behaviour.

use crate::model::{LARGEST_MTU, Node};
use crate::scenario::Case;
use crate::step::Action;
use crate::world::{Named, Need};

/// Returns whether there is only one path, without narrow links, and whether all steps act on that
/// path.
pub(super) fn is_plain(case: &Case) -> bool {
    let Some(way) = case.topology.unique_path() else {
        return false;
    };
    let on_way = |node: &Node| way.contains(node);
    let is_wide = case.topology.links().iter().all(|link| {
        let is_narrow = link.mtu < LARGEST_MTU;
        !(is_narrow && link.between.iter().all(on_way))
    });
    let is_here = |action: &Action| {
        let machines = action.machines();
        let is_other_path = |named: &Named| matches!(named.need, Need::NextRouterOf(_));
        machines.iter().all(|named| on_way(&named.node)) && !machines.iter().any(is_other_path)
    };
    is_wide
        && case.sysctl.is_empty()
        && case.firewall.is_none_or(|firewall| on_way(&firewall.on))
        && case
            .steps
            .iter()
            .all(|step| !step.applies_to(case.family) || is_here(&step.action))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::model::{End, Hz};
    use crate::oracle::predict;
    use crate::scenario::parse;

    /// Whether the oracle says anything of the client, whose connection breaks in this network.
    fn is_settled(topology: &str, step: &str) -> bool {
        let text = format!(
            "summary = 's'\n\
             topology = {{ family = 'ipv4', {topology} }}\n\
             connection.client.keepalive = {{ time = '3s' }}\n\
             step = [{{ {step} }}]\n\
             expect.client = {{ error = 'ETIMEDOUT', within = '1s..9s' }}\n"
        );
        let scenario = parse(Path::new("x.toml"), &text).unwrap();
        let ticks = Hz::new(250).unwrap().into();
        predict(&scenario.cases[0], End::Client, ticks).is_some()
    }

    const CHAIN: &str = "nodes = { r1 = 'router', r2 = 'router', other = 'host' }, links = [\
        { between = ['client', 'r1'] }, { between = ['r1', 'r2'] }, { between = ['r2', 'server'] }, { between = ['r1', 'other'] }]";

    #[test]
    fn a_chain_has_the_rules_of_the_presets() {
        for step in [
            "do = 'route', on = 'r2', to = 'server', action = 'delete'",
            "do = 'cable', at = 'r2', to = 'r1', action = 'pull'",
            "do = 'crash', host = 'server'",
            "do = 'filter', on = 'r1', action = 'drop'",
        ] {
            assert!(is_settled(CHAIN, step), "{step}");
        }
    }

    #[test]
    fn off_the_way_nothing_is_settled() {
        for step in [
            "do = 'cable', at = 'r1', to = 'other', action = 'pull'",
            "do = 'route', on = 'other', to = 'server', action = 'delete'",
            "do = 'route', on = 'r1', to = 'server', action = 'via', via = 'r2'",
        ] {
            assert!(!is_settled(CHAIN, step), "{step}");
        }
    }

    #[test]
    fn a_second_way_or_a_narrow_one_settles_nothing() {
        let crash = "do = 'crash', host = 'server'";
        let narrow = CHAIN.replace("['r1', 'r2']", "['r1', 'r2'], mtu = 1400");
        let second = CHAIN.replace("other = 'host'", "other = 'router'");
        let second = second.replace("'other'] }]", "'other'] }, { between = ['other', 'r2'] }]");
        assert!(!is_settled(&narrow, crash));
        assert!(!is_settled(&second, crash));
        let aside = CHAIN.replace("'other'] }", "'other'], mtu = 1400 }");
        assert!(is_settled(&aside, crash));
    }
}
