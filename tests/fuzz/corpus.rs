//! The inputs that are mutated: the shipped scenarios, the valid and invalid ones of the tests, and
//! saved results.

use std::fs;
use std::path::Path;

use deadpeer::record::Record;

/// All inputs, in an order that does not depend on the machine.
pub(crate) struct Corpus {
    pub(crate) scenarios: Vec<Vec<u8>>,
    /// Results as `run --report-json` writes them.
    pub(crate) results: Vec<Vec<u8>>,
    /// Results as a guest writes them.
    pub(crate) answers: Vec<Vec<u8>>,
    /// The prepared cases of the answers.
    pub(crate) prepared: Vec<Vec<u8>>,
}

impl Corpus {
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut scenarios = Vec::new();
        for folder in ["scenarios", "tests/bad_input", "tests/good"] {
            below(&root.join(folder), "toml", &mut scenarios);
        }
        let mut results = Vec::new();
        below(&root.join("tests/fuzz/results"), "json", &mut results);
        let mut answers = vec![br#"{"release":"6.12.1","hz":250}"#.to_vec()];
        let mut prepared = Vec::new();
        for result in &results {
            // A result of an older format would be rejected at its first line, and the rest would
            // not be tested.
            Record::read(std::str::from_utf8(result).unwrap()).unwrap();
            let record: serde_json::Value = serde_json::from_slice(result).unwrap();
            for result in record["kernels"][0]["results"].as_array().unwrap() {
                let ran = serde_json::json!([{
                    "attempt": { "observed": result["observation"] },
                    "took": 4_000_000_000_u64,
                }]);
                answers.push(serde_json::to_vec(&ran).unwrap());
                prepared.push(serde_json::to_vec(&result["prepared"]).unwrap());
            }
        }
        Self {
            scenarios,
            results,
            answers,
            prepared,
        }
    }
}

fn below(folder: &Path, ending: &str, found: &mut Vec<Vec<u8>>) {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            below(&path, ending, found);
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(fs::read(path).unwrap());
        }
    }
}
