//! Preconditions of steps: the state of the programs and their connections.

use super::{Fault, Refusal, World};
use crate::model::End;

impl World {
    /// Requires that the connections have been opened.
    ///
    /// # Errors
    /// [`Refusal`] if they have not.
    pub(crate) fn needs_connection(&self) -> Result<(), Refusal> {
        let Some(later) = self.find(|fault| *fault == Fault::Unopened) else {
            return Ok(());
        };
        let early = Refusal::new("there is no connection yet at this step").because(later);
        Err(early.help("take this step after `do = \"connect\"`"))
    }

    /// Requires that the program of the end has a socket of the connection.
    ///
    /// # Errors
    /// [`Refusal`] if it has none: it does not accept, has closed the socket, or its host has
    /// rebooted.
    pub(crate) fn needs_socket(&self, at: End) -> Result<(), Refusal> {
        self.needs_connection()?;
        let never = |fault: &Fault| matches!(fault, Fault::NotAccepting { passes: false, .. });
        if let Some(earlier) = self.find(never).filter(|_| at == End::Server) {
            let message = "the server has no connection, because it accepts none";
            let without = Refusal::new(message).because(earlier);
            return Err(without.help("let it accept again with `for`, or remove this step"));
        }
        self.needs_program(at)
    }

    /// Requires that the program of the end has not lost its sockets.
    ///
    /// # Errors
    /// [`Refusal`] if it has.
    pub(crate) fn needs_program(&self, at: End) -> Result<(), Refusal> {
        let gone = |fault: &Fault| match fault {
            Fault::Closed(end) | Fault::Destroyed(end) | Fault::Forgotten(end) => *end == at,
            _ => false,
        };
        let Some(earlier) = self.find(gone) else {
            return Ok(());
        };
        let late = Refusal::new(format!("the {at} has no connection any more")).because(earlier);
        Err(late.help("remove this step, or take it earlier"))
    }

    /// Requires that the program of the end can write.
    ///
    /// # Errors
    /// [`Refusal`] if it has no socket, or if it has shut down its sending direction.
    pub(crate) fn needs_writing(&self, from: End) -> Result<(), Refusal> {
        self.needs_socket(from)?;
        let Some(earlier) = self.find(|fault| *fault == Fault::Shut(from)) else {
            return Ok(());
        };
        let message = format!("the {from} cannot write any more");
        let late = Refusal::new(message).because(earlier);
        Err(late.help("write earlier, or use `do = \"reader\"` to stop reading only"))
    }

    /// Stops the reading of the program of the end.
    ///
    /// # Errors
    /// [`Refusal`] if it does not read.
    pub(crate) fn stop_reading(&mut self, at: End) -> Result<(), Refusal> {
        self.needs_socket(at)?;
        let message = || format!("the {at} has already stopped reading");
        self.begin_once(Fault::Unread(at), message, "resume reading in between")
    }

    /// Resumes the reading of the program of the end.
    ///
    /// # Errors
    /// [`Refusal`] if it reads.
    pub(crate) fn read_again(&mut self, at: End) -> Result<(), Refusal> {
        self.needs_socket(at)?;
        let missing = || {
            "`do = \"reader\"`, `action = \"pause\"`, or `do = \"process\"`, `action = \"stop\"`"
                .to_owned()
        };
        let message = || format!("the {at} has not stopped reading");
        self.end_once(&Fault::Unread(at), message, missing)
    }
}
