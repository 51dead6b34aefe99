//! Steps of the network, of which one goes on by itself.

use std::sync::Arc;

use super::common::{Common, note};
use crate::clock::sleep_until;
use crate::fault;
use crate::lab::error::LabError;
use crate::model::{End, Moment};
use crate::step::{AddressChange, CableChange, Flapping, NetworkStep, Step, StepKind};

impl Common {
    pub(super) async fn network(&self, step: &Step, network: &NetworkStep) -> Result<(), LabError> {
        let lab = &self.lab;
        match network {
            NetworkStep::Address { .. }
            | NetworkStep::Neighbour { .. }
            | NetworkStep::Forwarding { .. } => {
                for layer in lab.layers(step.family) {
                    fault::network::of_family(layer, network).await?;
                    if let NetworkStep::Address { at, change } = network {
                        let unaddressed = self.host(*at).unaddressed(layer.family());
                        match change {
                            AddressChange::Remove => unaddressed.begin(),
                            AddressChange::Restore => unaddressed.end(Moment::now()),
                        }
                    }
                }
                Ok(())
            }
            NetworkStep::Impair { at, impairment } => {
                fault::network::impair(lab, *at, Some(impairment)).await
            }
            NetworkStep::Heal { at } => fault::network::impair(lab, *at, None).await,
            NetworkStep::Flap { at, flapping } => self.flap(step.line, *at, *flapping).await,
        }
    }

    /// Done when the cable is out for the first time. The others, and each time that it is in again, come when they are due, counted from
    /// the first: what is late does not make later what follows.
    async fn flap(&self, line: usize, at: End, flapping: Flapping) -> Result<(), LabError> {
        let begun = Moment::now();
        // A later step at a cable waits for the end, which the machine may bring later than the file.
        let busy = self.link(at.node(), None).lock_owned().await;
        fault::cable(&self.lab, at, CableChange::Pull).await?;
        let (lab, lost, records) = self.beside();
        let Flapping { count, period } = flapping;
        self.spawn(begun + period * count, async move {
            for half in 1..count * 2 {
                let (change, kind) = if half % 2 == 0 {
                    (CableChange::Pull, StepKind::Fault)
                } else {
                    (CableChange::Plug, StepKind::Repair)
                };
                let due = begun + period * half / 2;
                sleep_until(due).await;
                let from = Moment::now();
                if let Err(error) = fault::cable(&lab, at, change).await {
                    lost.send_replace(Some(Arc::new(error)));
                    break;
                }
                let what = format!("{change} the {at}'s cable ({} of {count})", half / 2 + 1);
                note(&records, line, &what, kind, (due, from));
            }
            drop(busy);
        });
        Ok(())
    }
}
