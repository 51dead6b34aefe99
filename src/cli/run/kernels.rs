//! The kernels that cases run on.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::guest::{self, Failure, GuestMachine};
use crate::job::{self, JobError};
use crate::kernel;
use crate::model::Hz;
use crate::runner::Place;
use crate::text::printable;

/// The name of the kernel that the harness runs on.
pub(super) const NATIVE: &str = "native";

/// How long a guest may take to boot and to send its description. QEMU without KVM may need half a
/// minute on a busy machine.
const BOOT_LIMIT: Duration = Duration::from_secs(120);

/// A kernel that cases run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kernel {
    /// The kernel that the harness runs on.
    Native,
    /// A guest kernel, booted for each case.
    Guest(Arc<GuestMachine>),
}

/// The properties of a kernel that are known before a case runs on it.
pub(super) struct Description {
    /// `uname -r`.
    pub(super) release: Option<String>,
    /// The tick rate that the kernel was built with; `None` if it is not known.
    pub(super) hz: Option<Hz>,
}

impl Kernel {
    /// Returns the kernel's release and tick rate. A guest is booted for that.
    ///
    /// # Errors
    /// The guest does not boot, or sends no description within [`BOOT_LIMIT`].
    pub(super) async fn describe(&self) -> Result<Description, JobError> {
        Ok(match self {
            Self::Native => Description {
                release: kernel::release(),
                hz: kernel::hz(),
            },
            Self::Guest(machine) => {
                let description = job::describe(machine, BOOT_LIMIT).await?;
                Description {
                    release: Some(printable(&description.release).into_owned()),
                    hz: description.hz.or_else(|| hz_from_config(machine.kernel())),
                }
            }
        })
    }

    /// Returns whether the kernel runs in virtual time, which skips idle periods.
    pub(super) fn is_virtual(&self) -> bool {
        match self {
            Self::Native => false,
            Self::Guest(machine) => machine.is_virtual(),
        }
    }

    /// Checks that the machine has the memory for that many guests at once.
    pub(super) fn room_for(&self, guests: usize) -> Result<(), Failure> {
        match self {
            Self::Native => Ok(()),
            Self::Guest(machine) => guest::room_for(machine, guests),
        }
    }

    pub(super) fn place(&self) -> Place {
        match self {
            Self::Native => Place::Here,
            Self::Guest(machine) => Place::Guest(Arc::clone(machine)),
        }
    }
}

/// Writes `native`, or the name of the kernel's file.
impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.pad(NATIVE),
            Self::Guest(machine) => f.pad(&name_of(machine.kernel())),
        }
    }
}

/// Returns the name of a kernel's file.
pub(super) fn name_of(kernel: &Path) -> String {
    let name = kernel.file_name().unwrap_or(kernel.as_os_str());
    printable(&name.to_string_lossy()).into_owned()
}

/// Returns the tick rate of `.../vmlinuz-VERSION` as `.../config-VERSION` has it, where
/// distributions install the configuration. Few of their kernels report the tick rate themselves.
fn hz_from_config(kernel: &Path) -> Option<Hz> {
    let version = kernel.file_name()?.to_str()?.strip_prefix("vmlinuz-")?;
    let config = kernel.with_file_name(format!("config-{version}"));
    Hz::from_config(&fs::read_to_string(config).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tick_of_a_distributions_kernel_stands_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let kernel = folder.path().join("vmlinuz-6.1.0-amd64");
        assert_eq!(hz_from_config(&kernel), None);
        fs::write(
            folder.path().join("config-6.1.0-amd64"),
            "CONFIG_HZ_300=y\nCONFIG_HZ=300\n",
        )
        .unwrap();
        assert_eq!(hz_from_config(&kernel), Hz::new(300));
        assert_eq!(hz_from_config(&folder.path().join("linux")), None);
    }
}
