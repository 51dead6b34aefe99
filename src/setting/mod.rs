//! The settings of an end. There is one file per setting, with its key, its decoder, its
//! description, and the socket options and sysctls that it sets, as data.
//!
//! A new setting needs a field in [`EndSettings`], a file here, and a row in [`SETTINGS`]. All code
//! that applies, describes or predicts settings iterates over the rows.

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

/// Defines the table of settings from one row for each field of [`EndSettings`].
macro_rules! rows {
    ($($field:ident: $setting:expr,)*) => {
        /// All settings of an end, in the order of the description.
        const SETTINGS: &[&EndSetting] = &[$(&$setting),*];

        /// The table of an end's settings.
        pub(crate) const END: TableKind = TableKind {
            name: Some("socket"),
            about: "The settings of one end.",
            keys: &[$($setting.key),*],
            relations: &[],
        };

        /// Does not compile if a field has no row.
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
    /// The key in `[connection.client]` and `[connection.server]`.
    pub(crate) key: &'static dyn Describe,
    /// Reads the setting from the tables of an end.
    read: fn(&mut Layers, &mut Context, &mut EndSettings) -> Result<(), Reported>,
    /// Whether the oracle has a rule for the setting.
    has_rule: bool,
    /// Describes the setting, for the plan of a case.
    describe: fn(&EndSettings) -> Vec<String>,
    /// The socket options for this address family; they are set before bind(2).
    options: fn(&EndSettings, Family) -> Vec<SocketOption>,
    /// The sysctls of the host's network namespace.
    sysctls: fn(&EndSettings) -> Vec<Sysctl>,
    /// Resets the setting to its default.
    clear: fn(&mut EndSettings),
}

/// A socket option with an int value, for setsockopt(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketOption {
    /// The level: `SOL_SOCKET`, or a protocol.
    pub(crate) level: i32,
    /// The number of the option.
    pub(crate) name: i32,
    /// The value of the option.
    pub(crate) value: i32,
    /// How kernels differ in their handling of the option.
    pub(crate) kind: OptionKind,
}

/// How kernels differ in their handling of a socket option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionKind {
    /// Every kernel has the option and uses the value unchanged.
    Plain,
    /// Older kernels do not have the option.
    Recent {
        /// The name of the option.
        word: &'static str,
        /// The first kernel that has it.
        since: &'static str,
    },
    /// The kernel doubles the value, up to twice the value of this sysctl (`sk_setsockopt`).
    Buffer {
        /// The name of the sysctl.
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
    /// Returns a setting with a rule in the oracle, and without socket options and sysctls.
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

    /// Adds socket options to the setting.
    const fn options(self, options: fn(&EndSettings, Family) -> Vec<SocketOption>) -> Self {
        Self { options, ..self }
    }

    /// Adds sysctls to the setting.
    const fn sysctls(self, sysctls: fn(&EndSettings) -> Vec<Sysctl>) -> Self {
        Self { sysctls, ..self }
    }

    /// Marks the setting as one that the oracle has no rule for.
    const fn without_rule(self) -> Self {
        Self {
            has_rule: false,
            ..self
        }
    }

    /// Returns the settings with this one reset to its default; `None` if it has its default.
    pub(crate) fn removed(&self, settings: &EndSettings) -> Option<EndSettings> {
        let mut without = settings.clone();
        (self.clear)(&mut without);
        (without != *settings).then_some(without)
    }
}

/// The settings of an end, as read from a file that may have errors.
pub(crate) struct EndDraft {
    /// The valid settings; the invalid ones have their defaults.
    settings: EndSettings,
    /// The keys of the invalid settings.
    invalid: Vec<(&'static str, Reported)>,
}

impl EndDraft {
    /// Reads the tables of an end.
    pub(crate) fn read(end: &mut Layers, cx: &mut Context) -> Self {
        let mut settings = EndSettings::default();
        let mut invalid = Vec::new();
        for row in SETTINGS {
            if let Err(reported) = (row.read)(end, cx, &mut settings) {
                invalid.push((row.key.describe().name, reported));
            }
        }
        Self { settings, invalid }
    }

    /// Returns the settings, if all are valid.
    pub(crate) fn checked(&self) -> Result<&EndSettings, Reported> {
        match self.invalid.first() {
            Some((_, reported)) => Err(*reported),
            None => Ok(&self.settings),
        }
    }

    /// Returns keepalive, whether or not the other settings are valid.
    pub(crate) fn keepalive(&self) -> Result<Option<Keepalive>, Reported> {
        self.require_valid(keepalive::KEY.name())?;
        Ok(self.settings.keepalive)
    }

    /// Returns the number of unanswered probes that end the connection. `None` without keepalive,
    /// and if `user_timeout` or `sysctl` is set or invalid, because that may decide instead.
    pub(crate) fn unanswered_probes(&self) -> Option<u32> {
        self.require_valid(user_timeout::KEY.name()).ok()?;
        self.require_valid(sysctl::KEY.name()).ok()?;
        self.settings.unanswered_probes()
    }

    fn require_valid(&self, key: &str) -> Result<(), Reported> {
        let invalid = self.invalid.iter().find(|(invalid, _)| *invalid == key);
        invalid.map_or(Ok(()), |(_, reported)| Err(*reported))
    }
}

/// Returns the options of this end's sockets for this address family, in the order in which they
/// must be set.
#[must_use]
pub(crate) fn socket_options(settings: &EndSettings, family: Family) -> Vec<SocketOption> {
    let rows = SETTINGS.iter();
    rows.flat_map(|row| (row.options)(settings, family))
        .collect()
}

/// Returns the sysctls of this end's network namespace.
#[must_use]
pub(crate) fn sysctls(settings: &EndSettings) -> Vec<Sysctl> {
    let rows = SETTINGS.iter();
    rows.flat_map(|row| (row.sysctls)(settings)).collect()
}

/// Returns the description of an end's settings.
#[must_use]
pub fn describe(settings: &EndSettings) -> String {
    let rows = SETTINGS.iter();
    let all: Vec<String> = rows.flat_map(|row| (row.describe)(settings)).collect();
    all.join("; ")
}

/// Returns the settings that the oracle has no rule for.
pub(crate) fn without_rule() -> impl Iterator<Item = &'static EndSetting> {
    SETTINGS.iter().copied().filter(|row| !row.has_rule)
}

/// Returns whether an end has a setting that the oracle has no rule for.
#[must_use]
pub(crate) fn has_no_rule(settings: &EndSettings) -> bool {
    without_rule().any(|row| row.removed(settings).is_some())
}

#[cfg(test)]
mod tests;
