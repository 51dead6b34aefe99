//! `--filter`: selects cases by their names.

use std::path::{Component, Path};
use std::str::FromStr;

use crate::prepare::Prepared;
use crate::scenario::Scenario;
use glob::Pattern as Glob;

use super::complain;

/// The `--filter` options of a command that takes cases.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Filter {
    /// Select the cases whose name contains TEXT. If TEXT has `*`, `?` or `[...]`, it is a glob
    /// pattern for the whole name. `!TEXT` excludes the cases that match. The name may begin with
    /// the folder: `nat/flushed/both-probe/ipv4`. Separate several patterns with commas, or repeat
    /// --filter
    #[arg(long = "filter", value_name = "TEXT", value_delimiter = ',')]
    patterns: Vec<Pattern>,
}

impl Filter {
    /// Removes the cases that are not selected from each file.
    pub(super) fn narrow(&self, scenarios: &mut [Scenario]) {
        for scenario in scenarios {
            let path = &scenario.path;
            (scenario.cases).retain(|case| self.selects_name(path, &case.id.0));
        }
    }

    /// Returns whether the case is selected.
    pub(super) fn selects(&self, prepared: &Prepared) -> bool {
        self.selects_name(&prepared.path, &prepared.case.id.0)
    }

    /// Returns whether the case of this name in this file is selected: it matches a pattern without
    /// `!`, if there are any, and it matches no pattern with `!`.
    fn selects_name(&self, path: &Path, name: &str) -> bool {
        let names = [name, &in_folder(path, name)];
        let of =
            |is_excluded| (self.patterns.iter()).filter(move |one| one.excludes == is_excluded);
        let matches = |one: &Pattern| names.into_iter().any(|name| one.matches(name));
        let is_wanted = of(false).next().is_none() || of(false).any(matches);
        is_wanted && !of(true).any(matches)
    }

    /// Reports on standard error that the patterns select no case.
    pub(super) fn complain(&self) {
        let patterns = self.patterns.iter().map(|one| one.text.as_str());
        let patterns = patterns.collect::<Vec<_>>().join(",");
        complain(&format!(
            "--filter {patterns} selects no case; `harness list --cases PATH` prints the case names"
        ));
    }
}

/// Returns the name of a case, prefixed with the folder of its file:
/// `nat/flushed/both-probe/ipv4`. The folder is the part of the path below `scenarios/`, or else
/// the folder of a relative path. Any other absolute path adds no folder to the name, because a
/// pattern is not meant to match the folders above a project.
fn in_folder(path: &Path, name: &str) -> String {
    let folders = path.parent().into_iter().flat_map(Path::components);
    let mut parts: Vec<_> = folders.collect();
    let shipped = Component::Normal("scenarios".as_ref());
    let above = match parts.iter().rposition(|part| *part == shipped) {
        Some(position) => position + 1,
        None if path.is_absolute() => parts.len(),
        None => 0,
    };
    let below = parts.split_off(above).into_iter();
    let below = below.filter(|part| matches!(part, Component::Normal(_)));
    let mut whole: String = below
        .map(|part| format!("{}/", part.as_os_str().to_string_lossy()))
        .collect();
    whole.push_str(name);
    whole
}

/// One pattern of `--filter`.
#[derive(Debug, Clone)]
struct Pattern {
    /// The pattern as the user wrote it.
    text: String,
    /// Whether it begins with `!`.
    excludes: bool,
    matcher: Matcher,
}

#[derive(Debug, Clone)]
enum Matcher {
    Contains(String),
    Is(Glob),
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        match &self.matcher {
            Matcher::Contains(text) => name.contains(text.as_str()),
            Matcher::Is(glob) => glob.matches(name),
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let excluded = text.strip_prefix('!');
        let matcher = match excluded.unwrap_or(text) {
            "" => return Err("the pattern is empty: write a part of a case name".to_owned()),
            glob if glob.contains(['*', '?', '[']) => {
                let glob = Glob::new(glob);
                Matcher::Is(glob.map_err(|error| format!("not a valid glob pattern: {error}"))?)
            }
            part => Matcher::Contains(part.to_owned()),
        };
        Ok(Self {
            text: text.to_owned(),
            excludes: excluded.is_some(),
            matcher,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(patterns: &[&str]) -> Vec<&'static str> {
        const NAMES: [&str; 3] = [
            "crashed/idle/ipv4",
            "crashed/idle/ipv6",
            "timeout/late/ipv4",
        ];
        let patterns = patterns.iter().map(|text| text.parse().unwrap());
        let filter = Filter {
            patterns: patterns.collect(),
        };
        NAMES
            .into_iter()
            .filter(|name| filter.selects_name(Path::new(""), name))
            .collect()
    }

    #[test]
    fn several_patterns_are_alternatives() {
        assert_eq!(selected(&[]).len(), 3);
        assert_eq!(
            selected(&["idle/ipv4", "late"]),
            ["crashed/idle/ipv4", "timeout/late/ipv4"]
        );
    }

    #[test]
    fn a_glob_is_about_the_whole_name() {
        assert_eq!(selected(&["*/ipv6"]), ["crashed/idle/ipv6"]);
        assert_eq!(selected(&["*/ipv[46]"]).len(), 3);
        assert!(selected(&["ipv?"]).is_empty());
    }

    #[test]
    fn a_name_may_begin_with_the_folder() {
        let selects = |path: &str, pattern: &str| {
            let patterns = vec![pattern.parse().unwrap()];
            Filter { patterns }.selects_name(Path::new(path), "flushed/strict/ipv4")
        };
        let shipped = [
            "scenarios/nat/flushed.toml",
            "./scenarios/nat/flushed.toml",
            "/opt/deadpeer/scenarios/nat/flushed.toml",
        ];
        for path in shipped.into_iter().chain(["nat/flushed.toml"]) {
            for pattern in ["nat/*", "nat/flushed", "flushed/*", "nat/*/ipv4"] {
                assert!(selects(path, pattern), "{pattern} {path}");
            }
            for pattern in ["opt", "scenarios", "!nat/*", "deadpeer/*", "strict/*"] {
                assert!(!selects(path, pattern), "{pattern} {path}");
            }
        }
        assert!(selects("my/own/nat/flushed.toml", "my/own/nat/*"));
        assert!(selects("../nat/flushed.toml", "nat/*"));
        assert!(!selects("/home/nat/flushed.toml", "nat"));
    }

    #[test]
    fn what_is_left_out_is_left_out_of_what_is_asked_for() {
        assert_eq!(selected(&["!ipv4"]), ["crashed/idle/ipv6"]);
        assert_eq!(selected(&["crashed", "!*/ipv6"]), ["crashed/idle/ipv4"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in ["", "!", "a[", "***"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
