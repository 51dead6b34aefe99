//! The output of `harness check` for every shipped case, on a kernel with 250 ticks per second: one
//! snapshot for each file.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use deadpeer::model::Hz;
use deadpeer::prepare::prepare;
use deadpeer::report::plan;
use deadpeer::scenario;

/// The stems of the files with this extension in a directory of the source tree.
fn stems(folder: &str, extension: &str) -> BTreeSet<String> {
    fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_shipped_case_has_the_plan_that_was_looked_at() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("plans");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for stem in stems("scenarios", "toml") {
        let path = PathBuf::from(format!("scenarios/{stem}.toml"));
        let scenarios = scenario::load(&[path]).unwrap();
        let cases = prepare(scenarios, Hz::new(250).unwrap()).unwrap();
        let plans: Vec<String> = cases
            .iter()
            .map(|case| plan::lines(case).join("\n"))
            .collect();
        settings.bind(|| insta::assert_snapshot!(stem, plans.join("\n\n")));
    }
}

#[test]
fn every_plan_is_of_a_file_that_ships() {
    assert_eq!(stems("tests/plans", "snap"), stems("scenarios", "toml"));
}
