//! `--filter`: which cases are meant, by their names.

use std::str::FromStr;

use glob::Pattern as Glob;

use super::complain;

/// What the commands that take cases have.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Filter {
    /// Only the cases whose name contains TEXT, or is TEXT where that has `*`, `?` or `[...]`; with
    /// `!TEXT`, not those. Several with commas between, or each with its own --filter
    #[arg(long = "filter", value_name = "TEXT", value_delimiter = ',')]
    patterns: Vec<Pattern>,
}

impl Filter {
    /// Whether the case of this name is meant: where anything is asked for it is one of that, and
    /// it is nothing that is left out.
    pub(super) fn selects(&self, name: &str) -> bool {
        let of =
            |leaves_out| (self.patterns.iter()).filter(move |one| one.leaves_out == leaves_out);
        let is_wanted = of(false).next().is_none() || of(false).any(|one| one.matches(name));
        is_wanted && !of(true).any(|one| one.matches(name))
    }

    /// Writes that no case is meant.
    pub(super) fn complain(&self) {
        let patterns = self.patterns.iter().map(|one| one.text.as_str());
        let patterns = patterns.collect::<Vec<_>>().join(",");
        complain(&format!(
            "--filter {patterns} selects no case; `harness list --cases PATH` shows their names"
        ));
    }
}

/// One of them.
#[derive(Debug, Clone)]
struct Pattern {
    /// As it was written.
    text: String,
    leaves_out: bool,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Contains(String),
    Is(Glob),
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        match &self.what {
            What::Contains(text) => name.contains(text.as_str()),
            What::Is(glob) => glob.matches(name),
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let left_out = text.strip_prefix('!');
        let what = match left_out.unwrap_or(text) {
            "" => return Err("it is empty: write a part of a case's name".to_owned()),
            glob if glob.contains(['*', '?', '[']) => {
                let glob = Glob::new(glob);
                What::Is(glob.map_err(|error| format!("it is no glob: {error}"))?)
            }
            part => What::Contains(part.to_owned()),
        };
        Ok(Self {
            text: text.to_owned(),
            leaves_out: left_out.is_some(),
            what,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(patterns: &[&str]) -> Vec<&'static str> {
        const NAMES: [&str; 3] = ["crashed/idle/ipv4", "crashed/idle/ipv6", "nat/timeout/ipv4"];
        let patterns = patterns.iter().map(|text| text.parse().unwrap());
        let filter = Filter {
            patterns: patterns.collect(),
        };
        NAMES
            .into_iter()
            .filter(|name| filter.selects(name))
            .collect()
    }

    #[test]
    fn several_patterns_are_alternatives() {
        assert_eq!(selected(&[]).len(), 3);
        assert_eq!(
            selected(&["idle/ipv4", "nat"]),
            ["crashed/idle/ipv4", "nat/timeout/ipv4"]
        );
    }

    #[test]
    fn a_glob_is_about_the_whole_name() {
        assert_eq!(selected(&["*/ipv6"]), ["crashed/idle/ipv6"]);
        assert_eq!(selected(&["*/ipv[46]"]).len(), 3);
        assert!(selected(&["ipv?"]).is_empty());
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
