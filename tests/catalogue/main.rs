//! docs/catalogue.md is of the scenarios that ship, as far as that shows without running them. (The tests in virtual time hold it to a run.)

mod masked;

use deadpeer::report::catalogue;
use deadpeer::shipped;
use masked::{difference, masked};

#[test]
fn the_catalogue_is_of_the_scenarios_that_ship() {
    let kept = include_str!("../../docs/catalogue.md");
    let (scenarios, wrong) = shipped::scenarios();
    assert!(wrong.is_empty());
    let page = catalogue::page(&scenarios, None);
    let of_a_run = ["observed", "after", "timer"];
    let stale = difference(&masked(kept, &of_a_run), &masked(&page, &of_a_run));
    assert_eq!(stale, None, "{}", stale.as_deref().unwrap_or_default());
}

#[test]
fn the_catalogue_has_a_run() {
    let kept = include_str!("../../docs/catalogue.md");
    assert!(kept.contains(catalogue::OBSERVED_ON));
}
