//! The steps on the kernel: one file for each `do` word, of the same name as in `step/`.
//!
//! A step at the network is taken once for all strands of a case, on the [`SharedLab`]; its act on the modelled network comes first. A step
//! of a program is taken by each strand, on its own [`Running`].

use super::case::Running;
use super::shared::SharedLab;
use super::steps::Hindrance;
use crate::lab::error::LabError;
use crate::step::{NetworkAction, ProgramAction, Step, for_each_step};

/// A step of a program that was taken. The outer error is the lab's, the inner one the connection's.
pub(super) type Taken = Result<Result<(), Hindrance>, LabError>;

macro_rules! take {
    (
        program { $($program:ident: $Program:ident,)* }
        network { $($network:ident: $Network:ident,)* }
    ) => {
        $(mod $network;)*
        $(mod $program;)*

        /// Takes a step at the network, on the kernel.
        pub(super) async fn on_network(
            shared: &SharedLab,
            action: &NetworkAction,
            step: &Step,
        ) -> Result<(), LabError> {
            match action {
                $(NetworkAction::$Network(action) => $network::take(shared, action, step).await,)*
            }
        }

        /// Takes a step of a program.
        pub(super) async fn by_program(running: &mut Running, action: &ProgramAction) -> Taken {
            match action {
                $(ProgramAction::$Program(action) => $program::take(running, action).await,)*
            }
        }
    };
}
for_each_step!(take);

pub(super) use listener::Accepts;
