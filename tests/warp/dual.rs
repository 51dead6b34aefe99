//! Networks with both families, in a guest: two variants in one job.

use std::fs;

use deadpeer::record::Record;
use libtest_mimic::{Failed, Trial};

use crate::scenarios::{run, says};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("dual::two_runs_are_the_same_to_the_nanosecond", twice),
        Trial::test("dual::results_are_the_same_in_every_byte", results),
        Trial::test("dual::each_phase_has_both_variants", phases),
    ]
}

const FOLDER: &str = "scenarios/dual";

fn twice() -> Result<(), Failed> {
    let said = run(&["--warp", "--repeat", "2", FOLDER], 0)?;
    let row = said
        .lines()
        .find(|line| line.starts_with("pass     same-cable/pulled/dual-ipv6"));
    let row = row.ok_or_else(|| format!("no row in\n{said}"))?;
    says(row, "2     ETIMEDOUT    4.")
}

/// The result with the evidence does not depend on the order in which the cases run, and both
/// variants have the same zero time.
fn results() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let result = |name: &str, jobs: &str| -> Result<String, Failed> {
        let path = folder.path().join(name);
        let to = path.to_str().ok_or("a path that is not UTF-8")?;
        run(
            &["--warp", "-q", "-j", jobs, "--report-json", to, FOLDER],
            0,
        )?;
        Ok(fs::read_to_string(path)?)
    };
    let (once, again) = (result("once", "1")?, result("again", "3")?);
    if once != again {
        return Err("two runs in virtual time gave two results".into());
    }
    let record = Record::read(&once)?;
    let results = &record.kernels[0].results;
    for variants in results.chunks(2) {
        let seen = variants.iter().map(|variant| variant.observation.as_ref());
        let zeros: Vec<_> = seen.map(|seen| seen.map(|seen| seen.zero)).collect();
        assert!(
            zeros.iter().all(|zero| zero.is_some() && *zero == zeros[0]),
            "{zeros:?}"
        );
    }
    Ok(())
}

fn phases() -> Result<(), Failed> {
    let arguments = ["--warp", "--phases", "3", "--filter", "pulled", FOLDER];
    let said = run(&arguments, 0)?;
    says(&said, "6 runs of 2 cases in ")
}
