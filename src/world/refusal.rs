//! The reason why a step is impossible.

use super::{Cause, Fact};

/// Why a step cannot be taken in the network as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is impossible.
    pub message: String,
    /// The key of the step that the message is about; `None`: the step itself.
    pub key: Option<&'static str>,
    /// What the step conflicts with, each with a label.
    pub(crate) causes: Vec<(Cause, String)>,
    /// What to write instead.
    pub help: String,
}

impl Refusal {
    /// With this message.
    #[must_use]
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            key: None,
            causes: Vec::new(),
            help: String::new(),
        }
    }

    /// About this key of the step.
    #[must_use]
    pub(crate) fn at(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }

    /// In conflict with this fact.
    #[must_use]
    pub(crate) fn because(mut self, fact: &Fact) -> Self {
        self.causes.push((fact.cause, fact.fault.label()));
        self
    }

    /// In conflict with this cause.
    #[must_use]
    pub(crate) fn because_of(mut self, cause: Cause, label: impl Into<String>) -> Self {
        self.causes.push((cause, label.into()));
        self
    }

    /// With what to write instead.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }
}
