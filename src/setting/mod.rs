//! The settings of an end: one file for each, with its key, its reading, its description, and what
//! it sets: socket options and sysctls, as data.
//!
//! A setting is added by a field of [`EndSettings`], a file here, and a row in [`SETTINGS`].
//! Whoever applies, describes or predicts settings goes through the rows.

mod buffer;
mod keepalive;
mod linger;
mod nodelay;
mod recverr;
mod rto_max;
mod syn_retries;
pub(crate) mod sysctl;
mod user_timeout;

use crate::file::{Context, Describe, Layers, Reported, TableKind};
use crate::model::{EndSettings, Family, Keepalive, Sysctl};

/// Makes the table of settings from a row for each field of [`EndSettings`].
macro_rules! rows {
    ($($field:ident: $setting:expr,)*) => {
        /// All settings of an end, in the order of descriptions.
        const SETTINGS: &[&EndSetting] = &[$(&$setting),*];

        /// The table of an end's settings.
        pub(crate) const END: TableKind = TableKind {
            name: Some("socket"),
            about: "The settings of one end.",
            keys: &[$($setting.key),*],
            relations: &[],
        };

        /// A field without a row does not compile.
        const _: fn(EndSettings) = |settings| {
            let EndSettings { $($field: _),* } = settings;
        };
    };
}

rows! {
    keepalive: keepalive::SETTING,
    user_timeout: user_timeout::SETTING,
    syn_retries: syn_retries::SETTING,
    rto_max: rto_max::SETTING,
    recverr: recverr::SETTING,
    nagle: nodelay::SETTING,
    send_buffer: buffer::SEND,
    receive_buffer: buffer::RECEIVE,
    linger: linger::SETTING,
    sysctl: sysctl::SETTING,
}

/// A setting of an end.
pub(crate) struct EndSetting {
    /// Its key in `[connection.client]` and `[connection.server]`.
    pub(crate) key: &'static dyn Describe,
    /// Reads it from the tables of an end.
    read: fn(&mut Layers, &mut Context, &mut EndSettings) -> Result<(), Reported>,
    /// Whether the oracle takes it into account.
    has_rule: bool,
    /// What it sets, in the words of a plan.
    describe: fn(&EndSettings) -> Vec<String>,
    /// The options of a socket over this family, from before bind(2).
    options: fn(&EndSettings, Family) -> Vec<SocketOption>,
    /// Sysctls of the host's namespace.
    sysctls: fn(&EndSettings) -> Vec<Sysctl>,
    /// Takes it back to its default.
    clear: fn(&mut EndSettings),
}

/// A socket option that takes an int, as setsockopt(2) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketOption {
    /// `SOL_SOCKET`, or a protocol.
    pub level: i32,
    /// The number of the option.
    pub name: i32,
    /// Its value.
    pub value: i32,
    /// Where kernels differ in what they make of it.
    pub kind: OptionKind,
}

/// Where kernels differ in what they make of a socket option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// Every kernel has it, and takes the value as it is.
    Plain,
    /// A kernel may lack it.
    Recent {
        /// Its name.
        word: &'static str,
        /// The first kernel with it.
        since: &'static str,
    },
    /// The kernel takes twice the value, but no more than twice this sysctl (`sk_setsockopt`).
    Buffer {
        /// The sysctl.
        limit: &'static str,
    },
}

impl SocketOption {
    const fn new(level: i32, name: i32, value: i32) -> Self {
        let kind = OptionKind::Plain;
        Self {
            level,
            name,
            value,
            kind,
        }
    }
}

impl EndSetting {
    /// A setting that the oracle has a rule for, and that sets nothing.
    const fn new(
        key: &'static dyn Describe,
        read: fn(&mut Layers, &mut Context, &mut EndSettings) -> Result<(), Reported>,
        describe: fn(&EndSettings) -> Vec<String>,
        clear: fn(&mut EndSettings),
    ) -> Self {
        Self {
            key,
            read,
            has_rule: true,
            describe,
            options: |_, _| Vec::new(),
            sysctls: |_| Vec::new(),
            clear,
        }
    }

    /// It sets these options.
    const fn options(self, options: fn(&EndSettings, Family) -> Vec<SocketOption>) -> Self {
        Self { options, ..self }
    }

    /// It sets these sysctls.
    const fn sysctls(self, sysctls: fn(&EndSettings) -> Vec<Sysctl>) -> Self {
        Self { sysctls, ..self }
    }

    /// The oracle has no rule for it.
    const fn without_rule(self) -> Self {
        Self {
            has_rule: false,
            ..self
        }
    }

    /// The settings without this one; `None` where it is not set.
    pub(crate) fn removed(&self, settings: &EndSettings) -> Option<EndSettings> {
        let mut without = settings.clone();
        (self.clear)(&mut without);
        (without != *settings).then_some(without)
    }
}

/// The settings of an end as a file gives them.
pub(crate) struct EndDraft {
    /// All that is right; the others have their defaults.
    settings: EndSettings,
    /// The keys of the others.
    wrong: Vec<(&'static str, Reported)>,
}

impl EndDraft {
    /// Reads the tables of an end.
    pub(crate) fn read(end: &mut Layers, cx: &mut Context) -> Self {
        let mut settings = EndSettings::default();
        let mut wrong = Vec::new();
        for row in SETTINGS {
            if let Err(reported) = (row.read)(end, cx, &mut settings) {
                wrong.push((row.key.describe().name, reported));
            }
        }
        Self { settings, wrong }
    }

    /// The settings, if all are right.
    pub(crate) fn checked(&self) -> Result<&EndSettings, Reported> {
        match self.wrong.first() {
            Some((_, reported)) => Err(*reported),
            None => Ok(&self.settings),
        }
    }

    /// Keepalive, whether or not the others are right.
    pub(crate) fn keepalive(&self) -> Result<Option<Keepalive>, Reported> {
        self.right(keepalive::KEY.name())?;
        Ok(self.settings.keepalive)
    }

    /// How many unanswered probes end the connection; `None` where other settings may decide.
    pub(crate) fn unanswered_probes(&self) -> Option<u32> {
        self.right(user_timeout::KEY.name()).ok()?;
        self.right(sysctl::KEY.name()).ok()?;
        self.settings.unanswered_probes()
    }

    fn right(&self, key: &str) -> Result<(), Reported> {
        let wrong = self.wrong.iter().find(|(wrong, _)| *wrong == key);
        wrong.map_or(Ok(()), |(_, reported)| Err(*reported))
    }
}

/// The options of a socket of this end over this family, in the order in which they are to be set.
#[must_use]
pub fn socket_options(settings: &EndSettings, family: Family) -> Vec<SocketOption> {
    let rows = SETTINGS.iter();
    rows.flat_map(|row| (row.options)(settings, family))
        .collect()
}

/// The sysctls of this end's namespace.
#[must_use]
pub fn sysctls(settings: &EndSettings) -> Vec<Sysctl> {
    let rows = SETTINGS.iter();
    rows.flat_map(|row| (row.sysctls)(settings)).collect()
}

/// The settings of an end in words.
#[must_use]
pub fn describe(settings: &EndSettings) -> String {
    let rows = SETTINGS.iter();
    let all: Vec<String> = rows.flat_map(|row| (row.describe)(settings)).collect();
    all.join("; ")
}

/// The settings that the oracle has no rule for.
pub(crate) fn without_rule() -> impl Iterator<Item = &'static EndSetting> {
    SETTINGS.iter().copied().filter(|row| !row.has_rule)
}

/// Whether an end has a setting that the oracle has no rule for.
#[must_use]
pub fn has_no_rule(settings: &EndSettings) -> bool {
    without_rule().any(|row| row.removed(settings).is_some())
}

#[cfg(test)]
mod tests;
