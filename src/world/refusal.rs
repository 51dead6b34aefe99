//! The refusal of an impossible step.

use super::{Cause, Fact};

/// The reason why a step is impossible in the current state of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What is impossible.
    pub(crate) message: String,
    /// The key of the step that the message is about; `None`: the step itself.
    pub(crate) key: Option<&'static str>,
    /// The causes that the step conflicts with, each with a label.
    pub(crate) causes: Vec<(Cause, String)>,
    /// The help text: what to write instead.
    pub(crate) help: String,
}

impl Refusal {
    /// A refusal with this message.
    #[must_use]
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            key: None,
            causes: Vec::new(),
            help: String::new(),
        }
    }

    /// Sets the key of the step that the message is about.
    #[must_use]
    pub(crate) fn at(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }

    /// Adds a conflict with this fact.
    #[must_use]
    pub(crate) fn because(mut self, fact: &Fact) -> Self {
        self.causes.push((fact.cause, fact.fault.label()));
        self
    }

    /// Adds a conflict with this cause.
    #[must_use]
    pub(crate) fn because_of(mut self, cause: Cause, label: impl Into<String>) -> Self {
        self.causes.push((cause, label.into()));
        self
    }

    /// Sets the help text.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}
