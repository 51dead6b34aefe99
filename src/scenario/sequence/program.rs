//! Programs that are there to do what a step wants of them.

use std::ops::Range;

use super::{Broken, Network};
use crate::model::End;
use crate::scenario::diagnostic::Diagnostic;
use crate::step::{Act, ProgramStep};

impl Network {
    pub(super) fn program(&mut self, step: ProgramStep, verb: &Range<usize>) -> Option<Diagnostic> {
        let ProgramStep { at, act } = step;
        if let Some(gone) = self.gone(at, verb) {
            return Some(gone);
        }
        match act {
            Act::Stop | Act::Pause => {
                if let Some((broken, earlier)) = self.find(|broken| broken == Broken::Deaf(at)) {
                    let message = format!("the {at} reads nothing already");
                    let twice = Diagnostic::new(verb.clone(), message);
                    let twice = twice.related(earlier.clone(), broken.label());
                    return Some(twice.help("remove one of the two, or let it go on in between"));
                }
                self.breaks(Broken::Deaf(at), verb);
            }
            Act::Continue | Act::Resume => {
                if !self.heal(|broken| broken == Broken::Deaf(at)) {
                    let message = format!("the {at} reads all the time");
                    let help = "add an earlier step: `do = \"reader\"`, `action = \"pause\"`, or `do = \"process\"`, `action = \"stop\"`";
                    return Some(Diagnostic::new(verb.clone(), message).help(help));
                }
            }
            Act::Shutdown => self.breaks(Broken::Shut(at), verb),
            Act::Close | Act::Abort | Act::Kill | Act::Destroy => {
                self.breaks(Broken::Gone(at), verb);
            }
        }
        None
    }

    /// What is wrong with a step that wants something of a program without sockets.
    pub(super) fn gone(&self, at: End, verb: &Range<usize>) -> Option<Diagnostic> {
        let gone = [Broken::Gone(at), Broken::Forgotten(at)];
        let (broken, earlier) = self.find(|broken| gone.contains(&broken))?;
        let message = format!("the {at} has no connection any more");
        let late = Diagnostic::new(verb.clone(), message).related(earlier.clone(), broken.label());
        Some(late.help("remove this step, or take it before"))
    }

    /// What is wrong with a program's writing.
    pub(super) fn write(&self, from: End, verb: &Range<usize>) -> Option<Diagnostic> {
        if let Some(gone) = self.gone(from, verb) {
            return Some(gone);
        }
        let (shut, earlier) = self.find(|broken| broken == Broken::Shut(from))?;
        let message = format!("the {from} can write nothing any more");
        let late = Diagnostic::new(verb.clone(), message).related(earlier.clone(), shut.label());
        Some(late.help("write before, or use `do = \"reader\"` to stop reading only"))
    }
}
