//! Runs each case more than once: at several phases of the clock, and several times at each phase.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::judge::{self, Alike};
use crate::outcome::CaseResult;
use crate::prepare::Prepared;
use crate::runner::Entry;

/// Returns an entry for each run: every case at every phase, `repeat` times. The runs of a case are
/// adjacent, and so are the repetitions at one phase.
pub(super) fn entries(cases: Vec<Prepared>, phases: NonZeroU32, repeat: NonZeroU32) -> Vec<Entry> {
    let mut entries = Vec::new();
    for prepared in cases.into_iter().map(Arc::new) {
        for number in 0..phases.get() {
            let phase = phase(&prepared, number);
            for _ in 0..repeat.get() {
                let prepared = Arc::clone(&prepared);
                entries.push(Entry { prepared, phase });
            }
        }
    }
    entries
}

/// Returns how long the guest of phase `number` waits before the case begins: the fractional part
/// of a multiple of the golden ratio, times the timer wheel's granularity for the longest timer.
///
/// These multiples cover that granularity evenly. They also cover the granularity of each shorter
/// timer, which is an eighth, a sixty-fourth, ... of it. Equal steps would hit the same phases of a
/// shorter timer again and again.
fn phase(prepared: &Prepared, number: u32) -> Duration {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let granularity = prepared.ticks.lateness(prepared.duration());
    granularity.mul_f64((f64::from(number) * GOLDEN).fract())
}

/// Compares every repetition with the first run.
pub(super) fn compare(results: &mut [CaseResult], repeat: NonZeroU32, alike: Alike) {
    for same in results.chunks_mut(repeat.get() as usize) {
        let Some((first, others)) = same.split_first_mut() else {
            continue;
        };
        for other in others {
            other.verdict = judge::repeated(first, other, alike);
        }
    }
}
