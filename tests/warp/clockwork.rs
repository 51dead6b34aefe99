//! Compares times of the guest's kernel with the times of the harness's steps and with the captured
//! frames.

use std::fs;
use std::time::Duration;

use deadpeer::evidence::SocketSample;
use deadpeer::model::Moment;
use deadpeer::outcome::{CaseResult, EndObservation};
use deadpeer::record::Record;
use libtest_mimic::{Failed, Trial};

use crate::scenarios::run;

/// A jiffy of the guest's kernel.
const JIFFY: Duration = Duration::from_millis(4);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test(
            "clockwork::steps_are_on_time_and_signs_of_life_are_the_kernels",
            clockwork,
        ),
        Trial::test("clockwork::days_of_probes_cost_no_verdict", days),
        Trial::test("clockwork::long_waits_end_to_the_tick", long_waits),
    ]
}

/// The results of scenarios in virtual time.
fn results(arguments: &[&str]) -> Result<Vec<CaseResult>, Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("result.json");
    let to = path.to_str().ok_or("a path that is not UTF-8")?;
    let options = ["--warp", "-q", "--report-json", to];
    run(&[&options[..], arguments].concat(), 0)?;
    let record = Record::read(&fs::read_to_string(&path)?)?;
    let kernels = record.kernels.into_iter();
    Ok(kernels.flat_map(|kernel| kernel.results).collect())
}

/// In virtual time no step is late. A timeout of epoll_wait would be late by a thousandth.
fn on_time(result: &CaseResult) -> Result<(), Failed> {
    let steps = result.observation.iter();
    for step in steps.flat_map(|observation| &observation.evidence.steps) {
        let late = step.from.since(step.due);
        if late >= JIFFY {
            let (id, what) = (&result.prepared.case.id, &step.what);
            return Err(format!("{id}: {what} began {late:?} late").into());
        }
    }
    Ok(())
}

/// The time since the kernel last received a segment from the peer: from `rcv_tstamp` and
/// `lrcvtime`, of which `keepalive_time_elapsed` uses the later.
fn heard(sample: &SocketSample) -> Option<Duration> {
    let info = sample.state.as_ref()?.info?;
    let ago = info.last_ack_recv.min(info.last_data_recv);
    Some(Duration::from_millis(ago.into()))
}

/// The number of socket samples of an end that agree with its frames.
fn agreeing(result: &CaseResult, end: &EndObservation) -> Result<usize, Failed> {
    let (Some(observation), Some(first)) = (&result.observation, end.connections.first()) else {
        return Ok(0);
    };
    let mut agreeing = 0;
    for sample in observation.evidence.samples_of_first(end.end) {
        let just_after = sample.at + Duration::from_nanos(1);
        let of_frames = first.track.last_received_before(just_after);
        let (Some(heard), Some(of_frames)) = (heard(sample), of_frames) else {
            continue;
        };
        // The kernel rounds down to jiffies and milliseconds.
        let of_frames = sample.at.since(of_frames);
        if of_frames.abs_diff(heard) > JIFFY * 2 {
            let (id, name) = (&result.prepared.case.id, end.end);
            let at = sample.at.since(Moment::from_nanos(0));
            return Err(format!(
                "{id}: at {at:?} the {name}'s kernel has heard of its peer {heard:?} ago, its frames say {of_frames:?}"
            )
            .into());
        }
        agreeing += 1;
    }
    Ok(agreeing)
}

fn clockwork() -> Result<(), Failed> {
    let mut looks = 0;
    for result in results(&["scenarios/"])? {
        on_time(&result)?;
        for end in result.observation.iter().flat_map(|seen| &seen.ends) {
            looks += agreeing(&result, end)?;
        }
    }
    // Each case has at least a dozen samples.
    if looks < 5_000 {
        return Err(format!("only {looks} looks at a socket were compared").into());
    }
    Ok(())
}

/// The receiver answers and drops each probe (`TCP_OLD_SEQUENCE`), so that there are more alerts of
/// the drop monitor than its socket can hold.
fn days() -> Result<(), Failed> {
    run(&["--warp", "-q", "tests/warp/five-days.toml"], 0).map(drop)
}

/// If timers were late, a tenth of the waits between 500 s and 530 s would end 38 ms late.
fn long_waits() -> Result<(), Failed> {
    let results = results(&["tests/warp/long-waits.toml"])?;
    assert!(results.len() >= 60, "{}", results.len());
    results.iter().try_for_each(on_time)
}
