//! The steps on the kernel: one file for each `do` word, of the same name as in `step/`.
//!
//! A step at the network is taken once for all variants of a case, on the [`SharedLab`]; its act on
//! the modelled network comes first. A step of a program is taken by each variant, on its own
//! [`Running`].

use std::sync::Arc;

use super::baseline::CounterBaseline;
use super::running::{Hindrance, Running};
use super::shared::{Done, SharedLab};
use crate::lab::error::LabError;
use crate::model::Moment;
use crate::step::{Action, NetworkAction, ProgramAction, Step, for_each_step};

/// A step of a program that was taken. The outer error is the lab's, the inner one the
/// connection's.
pub(super) type StepOutcome = Result<Result<(), Hindrance>, LabError>;

macro_rules! take {
    (
        program { $($program:ident: $Program:ident,)* }
        network { $($network:ident: $Network:ident,)* }
    ) => {
        $(mod $network;)*
        $(mod $program;)*

        /// Takes a step at the network, on the kernel.
        async fn on_network(
            shared: &SharedLab,
            action: &NetworkAction,
            step: &Step,
        ) -> Result<(), LabError> {
            match action {
                $(NetworkAction::$Network(action) => $network::take(shared, action, step).await,)*
            }
        }

        /// Takes a step of a program.
        pub(super) async fn by_program(running: &mut Running, action: &ProgramAction) -> StepOutcome {
            match action {
                $(ProgramAction::$Program(action) => $program::take(running, action).await,)*
            }
        }
    };
}
for_each_step!(take);

impl SharedLab {
    /// Takes a step at the lab; `baseline`: after a look at the counters.
    pub(super) async fn take(&self, step: &Step, baseline: bool) -> Result<Done, Arc<LabError>> {
        let from = Moment::now();
        let read = if baseline {
            Some(Arc::new(CounterBaseline::read(&self.lab).await?))
        } else {
            None
        };
        // Before the fault, as the counters: on a busy machine a probe may go out before the step
        // is over.
        let begun = Moment::now();
        let refused = self.lab.act(step).await.err();
        if refused.is_none() {
            self.change(step).await?;
        }
        Ok(Done {
            from,
            begun,
            until: Moment::now(),
            baseline: read,
            refused: refused.map(|refusal| refusal.message),
        })
    }

    async fn change(&self, step: &Step) -> Result<(), LabError> {
        match &step.action {
            Action::Network(action) => on_network(self, action, step).await,
            // Each variant takes it by itself.
            Action::Program(_) => Ok(()),
        }
    }
}
