//! Writes the files of `--pcap`: one for each run of a case.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::record::{OnKernel, Record};
use crate::report::pcap::{self, Origin};
use crate::scenario::{CaseId, Scenario};
use crate::text::plural;
use anyhow::Context;

use super::files;
use super::kernels::NATIVE;

/// The folder of the captures.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Creates the folder if it does not exist, and checks that files can be created in it. This is
    /// checked before any case runs, because the cases may take minutes.
    pub(super) fn make(path: &Path) -> anyhow::Result<Self> {
        let failed = || format!("cannot make the folder {}", path.display());
        fs::create_dir_all(path).with_context(failed)?;
        let failed = || format!("cannot write to the folder {}", path.display());
        files::can_be_made_in(path).with_context(failed)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Writes a file for each result that has an observation. If a file cannot be written, the
    /// others are still written.
    pub(super) fn write(&self, scenarios: &[Scenario], record: &Record) -> anyhow::Result<()> {
        let mut names = Names::default();
        let mut failures = Vec::new();
        for (run, which, result) in record.results() {
            let case = &result.prepared.case.id;
            let path = self.path.join(names.next(case, &which));
            if result.observation.is_none() {
                continue;
            }
            let kernel = kernel(run);
            let origin = Origin {
                summary: summary(scenarios, case),
                kernel: &kernel,
            };
            let written = files::write(&path, |out| pcap::write(out, result, origin))
                .with_context(|| format!("cannot write {}", path.display()));
            failures.extend(written.err());
        }
        all_written(failures)
    }
}

/// Returns the first failure with the number of the others. Only the first is shown in full,
/// because on a full disk all have the same reason.
fn all_written(failures: Vec<anyhow::Error>) -> anyhow::Result<()> {
    let others = failures.len().saturating_sub(1);
    match failures.into_iter().next() {
        None => Ok(()),
        Some(first) if others == 0 => Err(first),
        Some(first) => {
            let captures = plural(others, "other capture");
            Err(anyhow::anyhow!(
                "{first:#}; and {captures} cannot be written"
            ))
        }
    }
}

fn kernel(run: &OnKernel) -> String {
    match run.kernel.as_str() {
        NATIVE => format!("Linux {}", run.release.as_deref().unwrap_or_default()),
        file => file.to_owned(),
    }
}

fn summary<'a>(scenarios: &'a [Scenario], case: &CaseId) -> &'a str {
    let has = |scenario: &&Scenario| scenario.cases.iter().any(|known| known.id == *case);
    let scenario = scenarios.iter().find(has);
    scenario.map_or("", |scenario| scenario.summary.as_str())
}

/// The maximum length of a file name in bytes (`NAME_MAX`).
const LONGEST: usize = 255;

/// The file names that are in use. Each is unique.
#[derive(Debug, Default)]
struct Names(HashSet<String>);

impl Names {
    /// Returns a unique name: `unreachable_idle_ipv4_linux-6.12.117_phase-3-of-43.pcapng`. The name
    /// of a case has no underscore, except for those in the name of its file.
    fn next(&mut self, case: &CaseId, which: &str) -> String {
        let which = which.trim_start_matches("on ").replace(", ", "_");
        let parts = [case.0.as_str(), &which.replace(' ', "-")];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let name = parts.join("_").replace('/', "_");
        let mut candidate = fitting(&name, ".pcapng");
        let mut number = 2;
        while !self.0.insert(candidate.clone()) {
            candidate = fitting(&name, &format!("_{number}.pcapng"));
            number += 1;
        }
        candidate
    }
}

/// Returns the name with its suffix, truncated to [`LONGEST`] bytes. The name may be too long
/// because it contains the name of the kernel's file, which can be of any length.
fn fitting(name: &str, end: &str) -> String {
    let fits = |from: &usize| from + end.len() <= LONGEST;
    let ends = name.char_indices().map(|(start, c)| start + c.len_utf8());
    let most = ends.take_while(fits).last().unwrap_or_default();
    format!("{}{end}", &name[..most])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_case_the_kernel_and_the_run() {
        let case = CaseId("crashed/in-flight/ipv6".to_owned());
        let mut names = Names::default();
        assert_eq!(names.next(&case, ""), "crashed_in-flight_ipv6.pcapng");
        assert_eq!(
            names.next(&case, "on linux-6.1, phase 3 of 43, run 2 of 5"),
            "crashed_in-flight_ipv6_linux-6.1_phase-3-of-43_run-2-of-5.pcapng"
        );
    }

    #[test]
    fn no_two_names_are_alike() {
        let mut names = Names::default();
        let mut next = |case: &str| names.next(&CaseId(case.to_owned()), "");
        assert_eq!(next("a/b_c"), "a_b_c.pcapng");
        assert_eq!(next("a_b/c"), "a_b_c_2.pcapng");
        assert_eq!(next("a/b/c"), "a_b_c_3.pcapng");
    }

    #[test]
    fn a_name_that_no_file_system_takes_is_cut() {
        let mut names = Names::default();
        let case = CaseId("a/b/ipv4".to_owned());
        let kernel = format!("on {}", "é".repeat(200));
        let cut = [names.next(&case, &kernel), names.next(&case, &kernel)];
        assert!(
            cut.iter().all(|name| (250..=255).contains(&name.len())),
            "{cut:?}"
        );
        assert!(
            cut[0].ends_with("é.pcapng") && cut[1].ends_with("é_2.pcapng"),
            "{cut:?}"
        );
    }

    #[test]
    fn the_first_failure_is_told_with_the_number_of_the_others() {
        let told = |count| {
            let failures = (1..=count).map(|n| anyhow::anyhow!("cannot write {n}.pcapng"));
            all_written(failures.collect()).unwrap_err().to_string()
        };
        assert!(all_written(Vec::new()).is_ok());
        assert_eq!(told(1), "cannot write 1.pcapng");
        assert_eq!(
            told(3),
            "cannot write 1.pcapng; and 2 other captures cannot be written"
        );
    }
}
