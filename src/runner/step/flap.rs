//! `flap` on the kernel.

use std::sync::Arc;

use crate::clock::sleep_until;
use crate::lab::error::LabError;
use crate::model::{Moment, Side};
use crate::runner::shared::{SharedLab, note};
use crate::step::{CableChange, Flap, Step, StepKind};
use crate::world::Fault;

/// Returns when the cable is pulled for the first time. A background task makes the other changes.
/// Their due times count from the first change, so a late change does not delay the next ones.
pub(super) async fn take(shared: &SharedLab, flap: &Flap, step: &Step) -> Result<(), LabError> {
    let Flap { at, count, period } = *flap;
    let cable = Side::Cable(at);
    let begun = Moment::now();
    shared.lab.pull(cable).await?;
    let (lab, lost, records) = shared.background();
    let line = step.line;
    shared.spawn(begun + period * count, async move {
        for half in 1..count * 2 {
            let (change, kind) = if half % 2 == 0 {
                (CableChange::Pull, StepKind::Fault)
            } else {
                (CableChange::Plug, StepKind::Repair)
            };
            let due = begun + period * half / 2;
            sleep_until(due).await;
            let from = Moment::now();
            let changed = match change {
                CableChange::Pull => lab.pull(cable).await,
                CableChange::Plug => lab.plug(cable).await,
            };
            if let Err(error) = changed {
                lost.send_replace(Some(Arc::new(error)));
                break;
            }
            let what = format!("{change} the {at}'s cable ({} of {count})", half / 2 + 1);
            note(&records, line, &what, kind, (due, from));
        }
        lab.ended(&Fault::Flapping(at));
    });
    Ok(())
}
