//! The shipped scenarios. They are compiled into the program, so that it works without its source
//! tree.

use std::path::{Component, Path, PathBuf};

use crate::scenario::{LoadError, Scenario};
use crate::{scenario, suggest};

macro_rules! files {
    ($($stem:literal),+ $(,)?) => {
        [$((
            concat!("scenarios/", $stem, ".toml"),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/", $stem, ".toml")),
        )),+]
    };
}

/// All shipped scenarios, and the errors of those that cannot be read.
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

/// The files of a path in the source tree: one file, or all files in and below a folder.
pub(crate) fn below(path: &Path) -> impl Iterator<Item = (&'static str, &'static str)> {
    let path = path.strip_prefix(".").unwrap_or(path).to_owned();
    let is_below =
        move |name: &str| !path.as_os_str().is_empty() && Path::new(name).starts_with(&path);
    let files = SCENARIOS.iter().copied();
    files.filter(move |(name, _)| is_below(name))
}

/// The files that match a name: the path in the source tree or its last components, with or without
/// `.toml`. Exact matches take precedence.
#[must_use]
pub(crate) fn named(name: &str) -> Vec<(&'static str, &'static str)> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    let wanted = PathBuf::from(format!("{name}.toml"));
    let exact = |path: &str| {
        let path = Path::new(path);
        path == wanted
            || path
                .strip_prefix("scenarios")
                .is_ok_and(|path| path == wanted)
    };
    let files = || SCENARIOS.iter().copied();
    let exact: Vec<_> = files().filter(|(path, _)| exact(path)).collect();
    if exact.is_empty() {
        let ends = |path: &str| Path::new(path).ends_with(&wanted);
        files().filter(|(path, _)| ends(path)).collect()
    } else {
        exact
    }
}

/// Suggestions for a path that does not exist: the paths of the files of this name, the path of the
/// folder, or the path of the file with the most similar name.
#[must_use]
pub(crate) fn meant(name: &str) -> Vec<String> {
    let files = named(name);
    if !files.is_empty() {
        return files.iter().map(|(path, _)| (*path).to_owned()).collect();
    }
    if in_folder(name).is_empty() {
        return nearest(name).into_iter().map(str::to_owned).collect();
    }
    vec![format!("{ROOT}{}/", name.trim_end_matches('/'))]
}

/// The paths of the files in a folder. The name of the folder is relative to `scenarios/`.
#[must_use]
pub(crate) fn in_folder(name: &str) -> Vec<&'static str> {
    let mut parts = Path::new(name).components();
    let is_name = parts.any(|part| matches!(part, Component::Normal(_)));
    let folder = Path::new(ROOT).join(name);
    let files = below(&folder).filter(|_| is_name);
    files.map(|(path, _)| path).collect()
}

/// The path of the file with the most similar name, if it is similar enough for a typing error.
#[must_use]
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let stems = SCENARIOS.iter().map(|(path, _)| stem(path));
    let meant = suggest::nearest(stem(name), stems)?;
    let paths = SCENARIOS.iter().map(|(path, _)| *path);
    paths.into_iter().find(|path| stem(path) == meant)
}

/// The path without `scenarios/` and `.toml`: `slow/grpc` for `scenarios/slow/grpc.toml`.
#[must_use]
pub(crate) fn stem(path: &str) -> &str {
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    path.strip_suffix(".toml").unwrap_or(path)
}

/// The folder of all shipped scenarios.
const ROOT: &str = "scenarios/";

/// The path in the source tree and the text of each file, in the order of the paths.
pub(crate) const SCENARIOS: &[(&str, &str)] = &files![
    "alive",
    "cable-pulled",
    "connect/backlog-full",
    "connect/black-hole",
    "connect/filtered",
    "connect/lost-handshake",
    "connect/no-address",
    "connect/no-neighbour",
    "connect/no-route",
    "connect/not-accepted",
    "connect/overflow",
    "connect/refused",
    "connect/syn-recv",
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
    "network/blackhole",
    "network/flapping",
    "network/forwarding-off",
    "network/neighbour-flushed",
    "network/replaced-unnoticed",
    "network/replaced",
    "network/unaddressed",
    "network/wrong-neighbour",
    "process/aborted",
    "process/closed",
    "process/destroyed",
    "process/killed-unreachable",
    "process/killed",
    "process/shutdown",
    "process/stopped",
    "process/unread",
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
    "traffic/fin-in-flight",
    "traffic/full-window",
    "traffic/mtu-black-hole",
    "traffic/old-retransmission",
    "traffic/regular",
    "traffic/sends-on",
    "traffic/window-probes",
    "unreachable",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(found: impl IntoIterator<Item = (&'static str, &'static str)>) -> Vec<&'static str> {
        found.into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn a_folder_is_all_that_is_below_it() {
        let below = |path: &str| paths(below(Path::new(path)));
        assert_eq!(below("scenarios/").len(), SCENARIOS.len());
        assert_eq!(below("./scenarios/slow").len(), 2);
        assert_eq!(below("scenarios/alive.toml"), ["scenarios/alive.toml"]);
        assert!(below("alive.toml").is_empty());
        assert!(below("").is_empty());
        assert!(below(".").is_empty());
    }

    #[test]
    fn a_name_is_the_end_of_a_path() {
        for name in [
            "alive",
            "alive.toml",
            "scenarios/alive",
            "scenarios/alive.toml",
        ] {
            assert_eq!(paths(named(name)), ["scenarios/alive.toml"], "{name}");
        }
        assert_eq!(paths(named("grpc")), ["scenarios/slow/grpc.toml"]);
        assert_eq!(paths(named("slow/grpc")), ["scenarios/slow/grpc.toml"]);
        assert_eq!(paths(named("reboot")), ["scenarios/nat/reboot.toml"]);
        assert_eq!(paths(named("rebooted")), ["scenarios/rebooted.toml"]);
        for name in ["live", "", "alive.md", "nat"] {
            assert!(named(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn a_path_that_does_not_exist_may_mean_one_that_ships() {
        for (name, expected) in [
            ("unreachable", "scenarios/unreachable.toml"),
            ("slow/grpc", "scenarios/slow/grpc.toml"),
            ("grpc.toml", "scenarios/slow/grpc.toml"),
            ("nat", "scenarios/nat/"),
            ("nat/", "scenarios/nat/"),
            ("scenarios/unreachabel.toml", "scenarios/unreachable.toml"),
        ] {
            assert_eq!(meant(name), [expected], "{name}");
        }
        for name in ["", "my-own.toml", "/", "."] {
            assert!(meant(name).is_empty(), "{name}");
        }
    }
}
