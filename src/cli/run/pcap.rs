//! The folder of `--pcap`, and its files: one for each run of a case.

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{PermissionsExt, chown, fchown};
use std::path::{Path, PathBuf};

use anyhow::Context;
use deadpeer::guest::kernel::caller;
use deadpeer::kernel;
use deadpeer::outcome::CaseResult;
use deadpeer::report::pcap::{self, Origin};
use deadpeer::scenario::model::{CaseId, Scenario};
use nix::unistd::User;

use super::named::NATIVE;
use super::{OnKernel, RunArguments, variations};

/// Where the captures go, and whose they are.
pub(super) struct Folder {
    path: PathBuf,
    /// The user who called sudo.
    owner: Option<User>,
}

impl Folder {
    /// Makes the folder where there is none, and finds out whether it can be written to, before cases run for minutes in vain. To be
    /// called before the process enters a user namespace of its own, where nothing tells any more who called sudo.
    pub(super) fn make(path: &Path) -> anyhow::Result<Self> {
        let folder = Self {
            path: path.to_owned(),
            owner: caller(),
        };
        let failed = || format!("cannot make the folder {}", path.display());
        folder.make_with_parents(path).with_context(failed)?;
        let failed = || format!("cannot write to the folder {}", path.display());
        tempfile::tempfile_in(path).with_context(failed)?;
        Ok(folder)
    }

    fn make_with_parents(&self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make_with_parents(parent)?;
        }
        fs::create_dir(path)?;
        match &self.owner {
            Some(user) => chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())),
            None => Ok(()),
        }
    }

    /// Writes a file for each result in which something was observed.
    pub(super) fn write(
        &self,
        arguments: &RunArguments,
        scenarios: &[Scenario],
        runs: &[OnKernel],
    ) -> anyhow::Result<()> {
        let mut names = Names::default();
        for on_kernel in runs {
            let kernel_name = match on_kernel.kernel.as_str() {
                NATIVE => format!("Linux {}", kernel::release().unwrap_or_default()),
                file => file.to_owned(),
            };
            let on = (runs.len() > 1).then_some(on_kernel.kernel.as_str());
            for (position, result) in on_kernel.finished.results.iter().enumerate() {
                let case = &result.prepared.case.id;
                let run = variations::label(arguments, position);
                let path = self.path.join(names.next(case, on, run.as_deref()));
                if result.observation.is_none() {
                    continue;
                }
                let origin = Origin {
                    summary: summary(scenarios, case),
                    kernel: &kernel_name,
                };
                let failed = || format!("cannot write {}", path.display());
                self.write_file(&path, result, origin)
                    .with_context(failed)?;
            }
        }
        Ok(())
    }

    /// Whole or not at all. What has the name already is replaced and never followed: this may be root, in a folder where others write.
    fn write_file(&self, path: &Path, result: &CaseResult, origin: Origin) -> io::Result<()> {
        let everyone = Permissions::from_mode(0o666);
        let mut builder = tempfile::Builder::new();
        let file = builder.permissions(everyone).tempfile_in(&self.path)?;
        let mut out = BufWriter::new(file);
        pcap::write(&mut out, result, origin)?;
        out.flush()?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        if let Some(user) = &self.owner {
            let (user, group) = (user.uid.as_raw(), user.gid.as_raw());
            fchown(file.as_file(), Some(user), Some(group))?;
        }
        file.persist(path)?;
        Ok(())
    }
}

fn summary<'a>(scenarios: &'a [Scenario], case: &CaseId) -> &'a str {
    let has = |scenario: &&Scenario| scenario.cases.iter().any(|known| known.id == *case);
    let scenario = scenarios.iter().find(has);
    scenario.map_or("", |scenario| scenario.summary.as_str())
}

/// The names of files, no two alike.
#[derive(Debug, Default)]
struct Names(HashSet<String>);

impl Names {
    /// `unreachable_idle_ipv4_linux-6.12.117_phase-3-of-43.pcapng`: a case's name has no underscore but what its file's name brings.
    fn next(&mut self, case: &CaseId, kernel: Option<&str>, run: Option<&str>) -> String {
        let run = run.map(|run| run.replace(", ", "_").replace(' ', "-"));
        let parts = [Some(case.0.as_str()), kernel, run.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        let name = parts.join("_").replace('/', "_");
        let mut candidate = format!("{name}.pcapng");
        let mut number = 2;
        while !self.0.insert(candidate.clone()) {
            candidate = format!("{name}_{number}.pcapng");
            number += 1;
        }
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_case_the_kernel_and_the_run() {
        let case = CaseId("crashed/in-flight/ipv6".to_owned());
        let mut names = Names::default();
        assert_eq!(
            names.next(&case, None, None),
            "crashed_in-flight_ipv6.pcapng"
        );
        assert_eq!(
            names.next(&case, Some("linux-6.1"), Some("phase 3 of 43, run 2 of 5")),
            "crashed_in-flight_ipv6_linux-6.1_phase-3-of-43_run-2-of-5.pcapng"
        );
    }

    #[test]
    fn no_two_names_are_alike() {
        let mut names = Names::default();
        let mut next = |case: &str| names.next(&CaseId(case.to_owned()), None, None);
        assert_eq!(next("a/b_c"), "a_b_c.pcapng");
        assert_eq!(next("a_b/c"), "a_b_c_2.pcapng");
        assert_eq!(next("a/b/c"), "a_b_c_3.pcapng");
    }
}
