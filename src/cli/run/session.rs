//! Runs all cases on each of the named kernels.

use std::time::{Duration, Instant};

use crate::judge::Alike;
use crate::oracle::Ticks;
use crate::outcome::CaseResult;
use crate::prepare::Prepared;
use crate::record::{Labels, OnKernel};
use crate::report::progress::Waiting;
use crate::runner::{self, Entry};
use crate::scenario::{Clock, Scenario};
use crate::text::seconds;

use super::drive::{Finished, INTERRUPTED, drive};
use super::kernels::{Description, Kernel};
use super::named::Named;
use super::{RunArguments, variations};
use crate::cli::load::{prepare, warn};
use crate::cli::signals::Signals;
use crate::cli::{Exit, complain, note};

/// The cases to run on one kernel.
struct Plan {
    kernel: Kernel,
    release: Option<String>,
    entries: Vec<Entry>,
}

/// Boots each guest kernel once to read its release and tick rate, and then runs the cases on one
/// kernel after the other. The inner error is the exit status of a run that did not begin; the
/// error message has been written then.
///
/// # Errors
/// A signal handler cannot be installed, or the progress cannot be written.
pub(super) async fn session(
    arguments: &RunArguments,
    named: Vec<Named>,
    scenarios: &[Scenario],
) -> anyhow::Result<Result<Vec<OnKernel>, Exit>> {
    let mut signals = Signals::listen()?;
    let plans = tokio::select! {
        biased;
        () = signals.next() => {
            complain("interrupted before the first case");
            Err(Exit::Interrupted)
        }
        plans = plans(arguments, named, scenarios) => plans,
    };
    let plans = match plans {
        Ok(plans) => plans,
        Err(exit) => return Ok(Err(exit)),
    };
    let mut runs: Vec<OnKernel> = Vec::new();
    let several = plans.len() > 1;
    for plan in plans {
        let labels = Labels {
            kernel: several.then(|| plan.kernel.to_string()),
            phases: arguments.phases,
            repeat: arguments.repeat,
        };
        let begun = Instant::now();
        let mut finished = match stop_reason(arguments, &runs) {
            Some(why) => not_begun(&plan, why),
            None => {
                let (kernel, entries) = (&plan.kernel, &plan.entries);
                drive(arguments, kernel, entries, labels, &mut signals).await?
            }
        };
        let alike = if plan.kernel.is_virtual() {
            Alike::ToTheNanosecond
        } else {
            Alike::InVerdict
        };
        variations::compare(&mut finished.results, arguments.repeat, alike);
        runs.push(OnKernel {
            kernel: plan.kernel.to_string(),
            release: plan.release,
            interrupted: finished.interrupted,
            results: finished.results,
            elapsed: begun.elapsed(),
        });
    }
    Ok(Ok(runs))
}

/// Returns why the cases are not run on a further kernel; `None` if they are.
fn stop_reason(arguments: &RunArguments, runs: &[OnKernel]) -> Option<&'static str> {
    let mut results = runs.iter().flat_map(|run| &run.results);
    let failed = |result: &CaseResult| result.verdict.is_bad();
    if runs.iter().any(|run| run.interrupted) {
        Some(INTERRUPTED)
    } else if arguments.fail_fast && results.any(failed) {
        Some(runner::AFTER_FAILURE)
    } else {
        None
    }
}

/// Prepares the cases for all kernels. This happens before the first case runs, so that an unusable
/// kernel is refused at once and not after minutes. The error is the exit status.
async fn plans(
    arguments: &RunArguments,
    named: Vec<Named>,
    scenarios: &[Scenario],
) -> Result<Vec<Plan>, Exit> {
    let count = arguments.count(scenarios);
    let mut kernels: Vec<(Kernel, Description)> = Vec::new();
    for named in named {
        let boots = named != Named::Native;
        let _waiting = boots.then(|| Waiting::new(arguments.form(), format!("booting {named}")));
        let kernel = named.ready().await;
        let at_once = kernel.place().at_once(arguments.jobs).min(count);
        kernel.room_for(at_once).map_err(|error| {
            complain(&error.to_string());
            Exit::Environment
        })?;
        let description = kernel.describe().await.map_err(|error| {
            complain(&error.to_string());
            Exit::Environment
        })?;
        kernels.push((kernel, description));
    }
    let mut plans = Vec::new();
    let mut noted = arguments.quiet;
    for (kernel, description) in kernels {
        let ticks = description.hz.map_or(Ticks::Unknown, Ticks::from);
        let cases = prepare(scenarios.to_vec(), ticks).ok_or(Exit::Usage)?;
        // Kernels differ only in their tick rate: the warnings for the first kernel hold for all.
        if plans.is_empty() {
            warn(&cases, scenarios);
        }
        if !kernel.is_virtual() && !noted {
            note_long_cases(&cases, arguments.slow);
            noted = true;
        }
        let entries = variations::entries(cases, arguments.phases, arguments.repeat);
        plans.push(Plan {
            kernel,
            release: description.release,
            entries,
        });
    }
    Ok(plans)
}

/// Writes a note if cases take long in real time.
fn note_long_cases(cases: &[Prepared], slow: bool) {
    /// Cases that take longer than about this time are usually marked `slow = true`.
    const LONG: Duration = Duration::from_secs(20);
    let runs = |case: &&Prepared| match case.case.clock {
        Clock::Any => true,
        Clock::Slow => slow,
        Clock::Virtual => false,
    };
    let long = cases.iter().filter(runs);
    let long: Vec<_> = long.filter(|case| case.duration() > LONG).collect();
    let Some(longest) = long.iter().max_by_key(|case| case.duration()) else {
        return;
    };
    let (name, time) = (&longest.case.id, seconds(longest.duration()));
    let what = match long.len() {
        1 => format!("{name} takes up to {time}"),
        several => format!("{several} cases take long, {name} takes up to {time}"),
    };
    note(&format!(
        "{what} in real time; with --warp it takes a moment"
    ));
}

fn not_begun(plan: &Plan, why: &'static str) -> Finished {
    let stopped = |entry: &Entry| runner::stopped(entry, why);
    Finished {
        results: plan.entries.iter().map(stopped).collect(),
        interrupted: false,
    }
}
