//! Groups the entries of a run by lab: the variants of a case share a lab.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use super::Entry;
use crate::model::{Family, Stack};

/// The key of a variant that a lab still waits for: file, case, phase and family.
type Wanted<'e> = (&'e Path, &'e str, Duration, Family);

/// The entries grouped by lab, each with its index in `entries`. If a case runs several times, the
/// first run of one variant shares a lab with the first run of the other variant, and so on. A
/// variant has a lab to itself if the other variant is not part of the run.
pub(super) fn labs(entries: &[Entry]) -> Vec<Vec<(usize, Entry)>> {
    let mut labs: Vec<Vec<(usize, Entry)>> = Vec::new();
    let mut alone: HashMap<Wanted, VecDeque<usize>> = HashMap::new();
    for (position, entry) in entries.iter().enumerate() {
        let member = (position, entry.clone());
        let case = &entry.prepared.case;
        if case.stack == Stack::Single {
            labs.push(vec![member]);
            continue;
        }
        let of = |family| {
            let path = entry.prepared.path.as_path();
            (path, case.id.stem(), entry.phase, family)
        };
        let waiting = alone.get_mut(&of(case.family));
        match waiting.and_then(VecDeque::pop_front) {
            Some(lab) => labs[lab].push(member),
            None => {
                let wanted = alone.entry(of(case.family.other())).or_default();
                wanted.push_back(labs.len());
                labs.push(vec![member]);
            }
        }
    }
    labs
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testing::cases;

    fn entries(family: &str, runs: usize) -> Vec<Entry> {
        let text = format!(
            "summary = 'x'\n\
             topology = {{ preset = 'direct', family = {family} }}\n\
             expect.client.survives = '1s'\n\
             [[case]]\nname = 'one'\n\
             [[case]]\nname = 'other'\n"
        );
        let entry = |prepared| Entry {
            prepared: Arc::new(prepared),
            phase: Duration::ZERO,
        };
        let cases = cases(&text).into_iter().map(entry);
        cases
            .flat_map(|entry| std::iter::repeat_n(entry, runs))
            .collect()
    }

    fn places(entries: &[Entry]) -> Vec<Vec<usize>> {
        let places = |lab: Vec<(usize, Entry)>| lab.into_iter().map(|(place, _)| place).collect();
        labs(entries).into_iter().map(places).collect()
    }

    #[test]
    fn the_variants_of_a_case_share_a_lab_and_nobody_else() {
        assert_eq!(places(&entries("'dual'", 1)), [[0, 1], [2, 3]]);
        let both = entries("['ipv4', 'dual']", 1);
        assert_eq!(places(&both), [vec![0], vec![1, 2], vec![3], vec![4, 5]]);
    }

    #[test]
    fn each_run_of_a_case_has_a_lab_of_its_own() {
        let labs = places(&entries("'dual'", 2));
        assert_eq!(labs, [[0, 2], [1, 3], [4, 6], [5, 7]]);
        let mut phases = entries("'dual'", 2);
        for entry in phases.iter_mut().step_by(2) {
            entry.phase = Duration::from_millis(1);
        }
        assert_eq!(places(&phases), labs);
    }

    #[test]
    fn a_variant_that_was_not_chosen_is_not_waited_for() {
        let mut some = entries("'dual'", 1);
        some.remove(1);
        assert_eq!(places(&some), [vec![0], vec![1, 2]]);
    }
}
