//! The catalogue of the shipped scenarios, as Markdown: the description of each file, and for each
//! of its cases the settings, the steps, the expectation, the observation and the reason.
//!
//! The page is a pure function of the scenarios and of a run. Without a run the cells of the
//! observation are empty, so that a test can compare the rest of the page with the scenarios
//! without running them.

use std::collections::BTreeMap;
use std::path::Path;

use deadpeer::model::Stack;
use deadpeer::oracle::Ticks;
use deadpeer::outcome::CaseResult;
use deadpeer::prepare::Prepared;
use deadpeer::record::OnKernel;
use deadpeer::report::plan;
use deadpeer::scenario::{Case, Clock, Scenario};

use crate::row::{Row, rows};

const HEAD: &str = "\
<!-- Made by `cargo xtask catalogue`. -->

# The scenarios that ship

For each file: its description. For each of its cases: the network, the settings of the ends, the steps, the expectation, the
observation, the time from zero time (the first fault, or the end of the last step) to the observation, the kernel's timer that gave up,
if one did, and the reason: the author's note, and the oracle's rule if there is one. Where IPv4 and IPv6 differ, a cell has both, in this
order.

";

/// The beginning of the line that names the kernel of the run.
pub(crate) const OBSERVED_ON: &str = "Observed on ";

const HEADINGS: &str = "\
| case | network | settings | steps | expected | observed | after | timer | why |
|---|---|---|---|---|---|---|---|---|
";

/// The page. The scenarios are in the order in which they ship.
pub(crate) fn page(scenarios: &[Scenario], run: Option<&OnKernel>) -> String {
    let results: Results = run
        .into_iter()
        .flat_map(|run| &run.results)
        .map(|result| (result.prepared.case.id.0.as_str(), result))
        .collect();
    let mut folders: BTreeMap<&Path, Vec<&Scenario>> = BTreeMap::new();
    for scenario in scenarios {
        let folder = scenario.path.parent().unwrap_or(Path::new(""));
        folders.entry(folder).or_default().push(scenario);
    }
    let mut page = HEAD.to_owned();
    if let Some(run) = run {
        let kernel = run.release.as_deref().unwrap_or(&run.kernel);
        page += &format!("{OBSERVED_ON}Linux {kernel}.\n");
    }
    for (folder, scenarios) in folders {
        page += &format!("\n## {}/\n", folder.display());
        for scenario in scenarios {
            section(&mut page, scenario, &results);
        }
    }
    page
}

/// The results of a run, by the name of the case.
type Results<'r> = BTreeMap<&'r str, &'r CaseResult>;

fn section(page: &mut String, scenario: &Scenario, results: &Results<'_>) {
    let path = scenario.path.display();
    let name = scenario.path.file_stem().unwrap_or_default();
    let name = name.to_string_lossy();
    *page += &format!("\n### [{name}](../{path})\n\n**{}**\n", scenario.summary);
    for paragraph in description(&scenario.text) {
        *page += &format!("\n{paragraph}\n");
    }
    if let Some(source) = &scenario.source {
        *page += &format!("\nSource: {source}.\n");
    }
    *page += &format!("\n{HEADINGS}");
    let families = scenario
        .cases
        .chunk_by(|one, other| one.id.stem() == other.id.stem() && one.stack == other.stack);
    for cases in families {
        let rows_of_families = cases.iter().map(|case| {
            let result = results.get(case.id.0.as_str()).copied();
            let prepared = Prepared::new(scenario.path.clone(), case.clone(), TICKS);
            rows(&prepared, result)
        });
        for row in &Row::of_families(rows_of_families.collect()) {
            let (case, network) = (own_name(&cases[0], &name), network(&cases[0], cases.len()));
            *page += &format!("| {case} | {network} | {row} |\n");
        }
    }
}

/// The page is the same for every tick: it contains the rule of a prediction, and no time.
const TICKS: Ticks = Ticks::Unknown;

/// The paragraphs of the comment at the head of a scenario file.
fn description(text: &str) -> Vec<String> {
    let comment = text
        .lines()
        .take_while(|line| line.starts_with('#'))
        .filter(|line| !line.starts_with("#:"))
        .map(|line| line.trim_start_matches('#').trim());
    let lines: Vec<&str> = comment.collect();
    lines
        .split(|line| line.is_empty())
        .map(|paragraph| paragraph.join(" "))
        .filter(|paragraph| !paragraph.is_empty())
        .collect()
}

/// The name of a case without that of its file; the file's if the case has no other.
fn own_name<'c>(case: &'c Case, file: &'c str) -> &'c str {
    let own = case.id.stem().strip_prefix(file).unwrap_or(case.id.stem());
    match own.trim_start_matches('/') {
        "" => file,
        own => own,
    }
}

/// The network, with the family, the stack and the clock if they are not the usual ones.
fn network(case: &Case, families: usize) -> String {
    let family = (families == 1).then(|| case.family.to_string());
    let clock = match case.clock {
        Clock::Any => None,
        Clock::Slow => Some("slow".to_owned()),
        Clock::Virtual => Some("virtual time".to_owned()),
    };
    let dual = (case.stack == Stack::Dual).then(|| "dual".to_owned());
    let words: Vec<String> = [Some(plan::outline(&case.topology)), dual, family, clock]
        .into_iter()
        .flatten()
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use deadpeer::record::Record;
    use deadpeer::{scenario, shipped};

    use super::*;
    use crate::compare::difference;
    use crate::root;

    /// The columns that are empty without a run.
    const OF_A_RUN: [&str; 3] = ["observed", "after", "timer"];

    const CRASHED: &str = r#"#:schema ../scenario.schema.json
# One line,
# and another.
#
# A second paragraph.

# Not part of the description.
summary = "The peer crashes"

[topology]
preset = "direct"

[connection.client]
keepalive = { idle = "1s", interval = "1s", probes = 3 }

[[step]]
do = "crash"
host = "server"

[expect.client]
error = "ETIMEDOUT"
"#;

    fn crashed(text: &str) -> Vec<Scenario> {
        vec![scenario::parse(Path::new("folder/test.toml"), text).unwrap()]
    }

    /// A run with one result: that of another scenario, under the name of the first case.
    fn run_of(scenarios: &[Scenario]) -> OnKernel {
        let saved = include_str!("../../tests/fuzz/results/timeout.json");
        let mut record = Record::read(saved).unwrap();
        let mut run = record.kernels.remove(0);
        run.release = Some("6.12.1".to_owned());
        let mut prepared = (*run.results[0].prepared).clone();
        prepared.case.id = scenarios[0].cases[0].id.clone();
        run.results[0].prepared = prepared.into();
        run
    }

    fn kept() -> String {
        fs::read_to_string(root().join("docs/catalogue.md")).unwrap()
    }

    #[test]
    fn a_page_contains_the_descriptions_and_the_results() {
        let scenarios = crashed(CRASHED);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!("page", page(&scenarios, Some(&run_of(&scenarios))));
        });
    }

    #[test]
    fn the_cells_of_the_observation_are_empty_without_a_run() {
        let page = page(&crashed(CRASHED), None);
        assert!(!page.contains(OBSERVED_ON));
        let row = page.lines().find(|line| line.starts_with("| test"));
        let cells: Vec<&str> = row.unwrap().split(" | ").collect();
        assert_eq!(&cells[5..8], ["", "", ""]);
    }

    #[test]
    fn families_share_a_row_and_a_cell_has_both_values_if_they_differ() {
        let scenarios = crashed(CRASHED);
        let page = page(&scenarios, Some(&run_of(&scenarios)));
        let rows: Vec<&str> = (page.lines())
            .filter(|line| line.starts_with("| test"))
            .collect();
        let [row] = rows.as_slice() else {
            panic!("{rows:?}");
        };
        assert!(row.contains(" | ETIMEDOUT /  | "), "{row}");
    }

    #[test]
    fn the_catalogue_contains_the_shipped_scenarios() {
        let (scenarios, errors) = shipped::scenarios();
        assert!(errors.is_empty());
        let stale = difference(&kept(), &page(&scenarios, None), &OF_A_RUN);
        assert_eq!(stale, None, "{}", stale.as_deref().unwrap_or_default());
    }

    #[test]
    fn the_catalogue_contains_a_run() {
        assert!(kept().contains(OBSERVED_ON));
    }
}
