//! A page with a result and without.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::report::fixture;
use crate::scenario;
use crate::testing;

const LESSON: &str = "#:schema ../scenario.schema.json\n# One line,\n# and another.\n#\n# A second paragraph.\n\n# No lesson.";

fn shipped() -> Vec<Scenario> {
    let text = format!("{LESSON}{}", testing::crash(r#"error = "ETIMEDOUT""#));
    let prepared = testing::crashed(r#"error = "ETIMEDOUT""#);
    vec![scenario::parse(&prepared.path, &text).unwrap()]
}

fn run() -> OnKernel {
    OnKernel {
        kernel: "native".to_owned(),
        release: Some("6.12.1".to_owned()),
        interrupted: false,
        results: vec![fixture::result(fixture::crash())],
        elapsed: Duration::ZERO,
    }
}

fn record(kernels: Vec<OnKernel>, repeat: u32) -> Record {
    Record::new(NonZeroU32::MIN, NonZeroU32::new(repeat).unwrap(), kernels)
}

#[test]
fn a_page_tells_of_a_file_and_of_what_came_of_its_cases() {
    insta::assert_snapshot!(page(&shipped(), Some(&run())));
}

#[test]
fn without_a_result_the_cells_that_need_one_are_empty() {
    let page = page(&shipped(), None);
    assert!(!page.contains(OBSERVED_ON));
    let row = page.lines().find(|line| line.starts_with("| test"));
    let cells: Vec<&str> = row.unwrap().split(" | ").collect();
    assert_eq!(&cells[5..8], ["", "", ""]);
}

#[test]
fn families_share_a_line_and_cells_that_differ_have_both() {
    let text = testing::crash(r#"error = "ETIMEDOUT""#).replace("family = \"ipv4\"", "");
    let shipped = vec![scenario::parse(Path::new("folder/both.toml"), &text).unwrap()];
    let mut run = run();
    let mut prepared = (*run.results[0].prepared).clone();
    prepared.case.id = shipped[0].cases[0].id.clone();
    run.results[0].prepared = prepared.into();
    let page = page(&shipped, Some(&run));
    let rows: Vec<&str> = (page.lines())
        .filter(|line| line.starts_with("| both"))
        .collect();
    assert_eq!(rows.len(), 1);
    assert!(
        rows[0].contains(" | ETIMEDOUT /  | 4.05s /  | "),
        "{}",
        rows[0]
    );
}

#[test]
fn a_result_that_is_not_one_run_of_all_is_refused() {
    let shipped = shipped();
    assert!(one_of_all(&record(vec![run()], 1), &shipped).is_ok());
    let several = [record(vec![run(), run()], 1), record(vec![run()], 2)];
    for record in several {
        assert_eq!(
            one_of_all(&record, &shipped).err(),
            Some(CatalogueError::Several)
        );
    }
    let mut partial = run();
    partial.results.clear();
    let error = one_of_all(&record(vec![partial], 1), &shipped).unwrap_err();
    let named = shipped[0].cases[0].id.to_string();
    assert_eq!(error, CatalogueError::Missing(named));
}
