//! The catalogue of the scenarios that ship, as Markdown: what a file says of itself, and of each of its cases what is done, what is
//! expected, what came of it in a run, and why.
//!
//! A pure function of the scenarios and of a run's result. Without a result the cells that tell of one are empty, so that a test can hold the
//! rest of a page to the scenarios without running any.

mod lesson;
mod row;

use std::collections::BTreeMap;
use std::path::Path;

use row::Row;

use super::plan;
use crate::model::Stack;
use crate::oracle::Ticks;
use crate::outcome::CaseResult;
use crate::prepare::Prepared;
use crate::record::{OnKernel, Record};
use crate::scenario::{Case, Clock, Scenario};

/// Why a result is not what a catalogue is made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// It has several runs of a case.
    #[error("a catalogue shows one run of each case on one kernel, and here are more")]
    Several,
    /// A case was not run, or is younger than the result.
    #[error(
        "it has no result of {0}: run every scenario that ships, `harness run --report-json FILE scenarios/`"
    )]
    Missing(String),
}

/// The one run that a result is of, with every case of these scenarios.
///
/// # Errors
/// See [`CatalogueError`].
pub fn one_of_all<'r>(
    record: &'r Record,
    scenarios: &[Scenario],
) -> Result<&'r OnKernel, CatalogueError> {
    let [run] = record.kernels.as_slice() else {
        return Err(CatalogueError::Several);
    };
    if record.several_runs() {
        return Err(CatalogueError::Several);
    }
    let results = by_name(Some(run));
    let mut cases = scenarios.iter().flat_map(|scenario| &scenario.cases);
    match cases.find(|case| !results.contains_key(case.id.0.as_str())) {
        Some(missing) => Err(CatalogueError::Missing(missing.id.to_string())),
        None => Ok(run),
    }
}

fn by_name(run: Option<&OnKernel>) -> BTreeMap<&str, &CaseResult> {
    let results = run.into_iter().flat_map(|run| &run.results);
    results
        .map(|result| (result.prepared.case.id.0.as_str(), result))
        .collect()
}

/// The page; `scenarios` in the order in which they ship.
#[must_use]
pub fn page(scenarios: &[Scenario], run: Option<&OnKernel>) -> String {
    let results = by_name(run);
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

/// What the line begins with that names the kernel of the run.
pub const OBSERVED_ON: &str = "What was observed was observed on ";

const HEAD: &str = "\
<!-- Made by scripts/catalogue. -->

# The scenarios that ship

Of each file what it shows, and of each of its cases the network, what is set on the ends, what is done, what is expected, what came of it,
how long after zero time (the first fault, or the end of the last step) it came, which of the kernel's timers gave up, if one did, and why: the
author's note, and the oracle's rule where it has one. Where IPv4 and IPv6 differ, both are given, in this order.

";

const HEADINGS: &str = "\
| case | network | settings | what is done | expected | observed | after | timer | why |
|---|---|---|---|---|---|---|---|---|
";

fn section(page: &mut String, scenario: &Scenario, results: &BTreeMap<&str, &CaseResult>) {
    let path = scenario.path.display();
    let name = scenario.path.file_stem().unwrap_or_default();
    let name = name.to_string_lossy();
    *page += &format!("\n### [{name}](../{path})\n\n**{}**\n", scenario.summary);
    for paragraph in lesson::paragraphs(&scenario.text) {
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
        let rows = cases.iter().map(|case| {
            let result = results.get(case.id.0.as_str()).copied();
            let prepared = Prepared::new(scenario.path.clone(), case.clone(), TICKS);
            row::rows(&prepared, result)
        });
        let rows = Row::of_families(rows.collect());
        for row in &rows {
            let (case, network) = (named(&cases[0], &name), network(&cases[0], cases.len()));
            *page += &format!("| {case} | {network} | {row} |\n");
        }
    }
}

/// The page is the same for a kernel with any tick: of a prediction it has the rule, and no time.
const TICKS: Ticks = Ticks::Unknown;

/// A case's own name; that of the file where it has none.
fn named<'c>(case: &'c Case, file: &'c str) -> &'c str {
    let own = case.id.stem().strip_prefix(file).unwrap_or(case.id.stem());
    match own.trim_start_matches('/') {
        "" => file,
        own => own,
    }
}

/// The network, and what is special about where the case runs.
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
mod tests;
