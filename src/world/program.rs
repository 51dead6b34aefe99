//! What a step needs of the programs and their connections.

use super::{Fault, Refusal, World};
use crate::model::End;

impl World {
    /// The connections have been opened.
    ///
    /// # Errors
    /// [`Refusal`] where they have not.
    pub(crate) fn needs_connection(&self) -> Result<(), Refusal> {
        let Some(later) = self.find(|fault| *fault == Fault::Unopened) else {
            return Ok(());
        };
        let early = Refusal::new("there is no connection yet at this step").because(later);
        Err(early.help("take this step after `do = \"connect\"`"))
    }

    /// The program of the end has a socket of the connection.
    ///
    /// # Errors
    /// [`Refusal`] where it has none: it accepts none, has closed it, or its host has rebooted.
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

    /// The program of the end has not lost its sockets.
    ///
    /// # Errors
    /// [`Refusal`] where it has.
    pub(crate) fn needs_program(&self, at: End) -> Result<(), Refusal> {
        let gone = |fault: &Fault| match fault {
            Fault::Closed(end) | Fault::Destroyed(end) | Fault::Forgotten(end) => *end == at,
            _ => false,
        };
        let Some(earlier) = self.find(gone) else {
            return Ok(());
        };
        let late = Refusal::new(format!("the {at} has no connection any more")).because(earlier);
        Err(late.help("remove this step, or take it before"))
    }

    /// The program of the end can write.
    ///
    /// # Errors
    /// [`Refusal`] where it has no socket, or has shut down its sending.
    pub(crate) fn needs_writing(&self, from: End) -> Result<(), Refusal> {
        self.needs_socket(from)?;
        let Some(earlier) = self.find(|fault| *fault == Fault::Shut(from)) else {
            return Ok(());
        };
        let message = format!("the {from} cannot write any more");
        let late = Refusal::new(message).because(earlier);
        Err(late.help("write before, or use `do = \"reader\"` to stop reading only"))
    }

    /// The program of the end stops reading.
    ///
    /// # Errors
    /// [`Refusal`] where it does not read.
    pub(crate) fn stop_reading(&mut self, at: End) -> Result<(), Refusal> {
        self.needs_socket(at)?;
        let message = || format!("the {at} reads nothing already");
        self.begin_once(Fault::Unread(at), message, "let it go on in between")
    }

    /// The program of the end reads again.
    ///
    /// # Errors
    /// [`Refusal`] where it reads.
    pub(crate) fn read_again(&mut self, at: End) -> Result<(), Refusal> {
        self.needs_socket(at)?;
        let missing = || {
            "`do = \"reader\"`, `action = \"pause\"`, or `do = \"process\"`, `action = \"stop\"`"
                .to_owned()
        };
        let message = || format!("the {at} reads all the time");
        self.end_once(&Fault::Unread(at), message, missing)
    }
}
