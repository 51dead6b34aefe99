//! The steps on the kernel: one file for each `do` word, of the same name as in `step/`.
//!
//! A network step is taken once for all variants of a case, on the [`SharedLab`]; it acts on the
//! modelled network first. A program step is taken by each variant, on its own [`Running`].

use std::sync::Arc;

use super::baseline::CounterBaseline;
use super::running::{Hindrance, Running};
use super::shared::{Done, SharedLab};
use crate::lab::error::LabError;
use crate::model::Moment;
use crate::step::{Action, NetworkAction, ProgramAction, Step, for_each_step};

/// The result of a program step. The outer error is an error of the lab, the inner one an error of
/// the connection.
pub(super) type StepOutcome = Result<Result<(), Hindrance>, LabError>;

macro_rules! take {
    (
        program { $($program:ident: $Program:ident,)* }
        network { $($network:ident: $Network:ident,)* }
    ) => {
        $(mod $network;)*
        $(mod $program;)*

        /// Takes a network step on the kernel.
        async fn on_network(
            shared: &SharedLab,
            action: &NetworkAction,
            step: &Step,
        ) -> Result<(), LabError> {
            match action {
                $(NetworkAction::$Network(action) => $network::take(shared, action, step).await,)*
            }
        }

        /// Takes a program step.
        pub(super) async fn by_program(running: &mut Running, action: &ProgramAction) -> StepOutcome {
            match action {
                $(ProgramAction::$Program(action) => $program::take(running, action).await,)*
            }
        }
    };
}
for_each_step!(take);

impl SharedLab {
    /// Takes a network step. `baseline`: whether to read the counters before.
    pub(super) async fn take(&self, step: &Step, baseline: bool) -> Result<Done, Arc<LabError>> {
        let from = Moment::now();
        let read = if baseline {
            Some(Arc::new(CounterBaseline::read(&self.lab).await?))
        } else {
            None
        };
        // This moment is taken before the fault, like the counters: on a busy machine a probe may
        // be sent before the step completes.
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
            // Each variant takes a program step itself.
            Action::Program(_) => Ok(()),
        }
    }
}
