//! Runs of the harness that are repeated give the same result.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;

use deadpeer::record::Record;
use libtest_mimic::{Failed, Trial};

use crate::scenarios::{run, says};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("sameness::twice_is_the_same_to_the_nanosecond", twice),
        Trial::test("sameness::captures_are_the_same_in_every_byte", captures),
        Trial::test("sameness::results_are_the_same_in_every_byte", results),
        Trial::test("sameness::twice_on_this_kernel_has_one_verdict", twice_here),
    ]
}

/// Differences between two boots would show here: open descriptors, the load of the machine,
/// addresses of the host.
fn twice() -> Result<(), Failed> {
    run(&["--warp", "--repeat", "2", "-q", "scenarios/"], 0).map(drop)
}

/// Captures contain no time, process or path of the host.
fn captures() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let files = |name: &str| -> Result<BTreeMap<OsString, Vec<u8>>, Failed> {
        let captures = folder.path().join(name);
        let to = captures.to_str().ok_or("a path that is not UTF-8")?;
        let scenarios = ["crashed", "half-open", "rebooted", "unreachable"];
        let scenarios = scenarios.map(|name| format!("scenarios/{name}.toml"));
        let scenarios = scenarios.iter().map(String::as_str);
        let arguments = ["--warp", "-q", "--pcap", to].into_iter().chain(scenarios);
        run(&arguments.collect::<Vec<_>>(), 0)?;
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&captures)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_owned();
            files.insert(name, fs::read(path)?);
        }
        Ok(files)
    };
    let (once, again) = (files("once")?, files("again")?);
    assert!(once.contains_key(OsStr::new("crashed_one-time_ipv4.pcapng")));
    assert!(once.keys().eq(again.keys()));
    let differs = once
        .iter()
        .find(|(name, file)| again.get(*name) != Some(file));
    assert_eq!(differs.map(|(name, _)| name), None);
    Ok(())
}

/// The result with the evidence does not depend on the order in which the cases run.
fn results() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let result = |name: &str, jobs: &str| -> Result<String, Failed> {
        let path = folder.path().join(name);
        let to = path.to_str().ok_or("a path that is not UTF-8")?;
        let scenarios = [
            "scenarios/filter",
            "scenarios/nat",
            "scenarios/rebooted.toml",
        ];
        let arguments = ["--warp", "-q", "-j", jobs, "--report-json", to];
        run(&[&arguments[..], &scenarios].concat(), 0)?;
        Ok(fs::read_to_string(path)?)
    };
    let (once, again) = (result("once", "1")?, result("again", "3")?);
    if once != again {
        return Err("two runs in virtual time gave two results".into());
    }
    let schema = serde_json::to_value(Record::schema())?;
    let validator = jsonschema::draft202012::new(&schema)?;
    validator.validate(&serde_json::from_str(&once)?)?;
    let other = once.replacen("\"received\"", "\"perceived\"", 1);
    assert_ne!(other, once);
    assert!(!validator.is_valid(&serde_json::from_str(&other)?));
    Ok(())
}

/// On the machine's kernel the times differ between runs, so only the verdicts must be the same.
fn twice_here() -> Result<(), Failed> {
    let arguments = ["--repeat", "3", "--filter", "socket-options/ipv4"];
    let said = run(&[&arguments[..], &["scenarios/crashed.toml"]].concat(), 0)?;
    says(&said, "crashed/socket-options/ipv4  3     ETIMEDOUT  4.")?;
    says(&said, "3 runs of 1 case in ")
}
