//! The scenarios that ship, as they were when the program was built: a copy without its source tree knows them too.

use std::path::Path;

use crate::scenario::model::Scenario;
use crate::scenario::{self, LoadError};

macro_rules! files {
    ($($stem:literal),+ $(,)?) => {
        [$((
            concat!("scenarios/", $stem, ".toml"),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/", $stem, ".toml")),
        )),+]
    };
}

/// All of them, and what is wrong with any.
#[must_use]
pub fn scenarios() -> (Vec<Scenario>, Vec<LoadError>) {
    let mut scenarios = Vec::new();
    let mut errors = Vec::new();
    for (path, text) in SCENARIOS {
        match scenario::read(Path::new(path), text) {
            Ok(scenario) => scenarios.push(scenario),
            Err(error) => errors.push(error),
        }
    }
    (scenarios, errors)
}

/// Path in the source tree and text of each, in the order of their paths.
pub const SCENARIOS: &[(&str, &str)] = &files![
    "alive",
    "cable-pulled",
    "connect/backlog-full",
    "connect/black-hole",
    "connect/filtered",
    "connect/lost-handshake",
    "connect/no-neighbour",
    "connect/no-route",
    "connect/not-accepted",
    "connect/overflow",
    "connect/refused",
    "crashed",
    "dual/ipv4-firewall",
    "dual/ipv6-route-lost",
    "dual/same-cable",
    "filter/drop",
    "filter/established",
    "filter/lost-answer",
    "filter/lost-data",
    "filter/lost-probe",
    "filter/one-way",
    "filter/random-loss",
    "filter/reject-icmp",
    "filter/reject-rst",
    "half-open",
    "impaired/disordered",
    "impaired/lossy",
    "impaired/narrow",
    "impaired/slow-path",
    "nat/flushed",
    "nat/late-reset",
    "nat/reboot",
    "nat/timeout-and-loose",
    "nat/timeout",
    "network/address-removed",
    "network/flapping",
    "network/forwarding-off",
    "network/neighbour-flushed",
    "network/replaced-unnoticed",
    "network/replaced",
    "network/wrong-neighbour",
    "process/aborted",
    "process/closed",
    "process/destroyed",
    "process/killed",
    "process/shutdown",
    "process/stopped",
    "real-time/conntrack",
    "real-time/defaults",
    "real-time/night",
    "real-time/programs",
    "real-time/retransmission",
    "rebooted",
    "route-removed",
    "settings/buffers",
    "settings/linger-alive",
    "settings/linger",
    "settings/nodelay",
    "settings/receive-buffer",
    "settings/recverr",
    "settings/retries2",
    "slow/grpc",
    "slow/interactive",
    "timers/count-or-user-timeout",
    "timers/user-timeout-alone",
    "topology/far-router",
    "topology/moved-route",
    "topology/narrow-link",
    "topology/two-ways",
    "traffic/between-probes",
    "traffic/full-window",
    "traffic/mtu-black-hole",
    "traffic/regular",
    "unreachable",
];
