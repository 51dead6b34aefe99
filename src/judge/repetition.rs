//! Whether a second run of a case was the first one over again.

use serde_json::Value;

use crate::outcome::{Mismatch, Observation};

/// The first thing, packets' times included, in which two observations of one case differ.
#[must_use]
pub fn difference(first: &Observation, other: &Observation) -> Option<Mismatch> {
    let (first, other) = match (serde_json::to_value(first), serde_json::to_value(other)) {
        (Ok(first), Ok(other)) => (first, other),
        (Err(error), _) | (_, Err(error)) => return Some(mismatch(error.to_string())),
    };
    find("", &first, &other).map(mismatch)
}

fn mismatch(observed: String) -> Mismatch {
    Mismatch {
        end: None,
        expected: "the same as in the first run, to the nanosecond".to_owned(),
        because: "--repeat".to_owned(),
        observed,
    }
}

/// `ends[0].watched_until is 5, not 4`.
fn find(path: &str, first: &Value, other: &Value) -> Option<String> {
    match (first, other) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().find_map(|(key, value)| {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                find(&path, value, &b[key])
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (a, b))| find(&format!("{path}[{index}]"), a, b))
        }
        _ if first == other => None,
        _ => Some(format!("{path} is {other}, not {first}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Line, S, client, observed};

    #[test]
    fn a_nanosecond_is_a_difference() {
        let of = |probe| observed(vec![client(vec![Line::established(0).probe(probe)])]);
        assert_eq!(difference(&of(S), &of(S)), None);
        let found = difference(&of(S), &of(S + 1)).unwrap();
        assert!(
            found
                .observed
                .starts_with("ends[0].connections[0].track.probes[0].sent is "),
            "{found:?}"
        );
    }

    #[test]
    fn one_more_probe_is_a_difference() {
        let of = |probes: &[i64]| observed(vec![client(vec![Line::established(0).probes(probes)])]);
        assert!(difference(&of(&[S]), &of(&[S, 2 * S])).is_some());
        assert!(difference(&of(&[S]), &observed(vec![])).is_some());
    }
}
