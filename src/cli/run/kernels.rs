//! The kernels that cases run on.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deadpeer::guest::{self, Failure, GuestMachine};
use deadpeer::job::{self, JobError};
use deadpeer::kernel;
use deadpeer::model::Hz;
use deadpeer::runner::Place;
use deadpeer::text::printable;

use super::named::NATIVE;

/// How long a guest may take to boot and to say what it is: QEMU without KVM may need half a minute
/// on a busy machine.
const BOOT_LIMIT: Duration = Duration::from_secs(120);

/// A kernel that cases run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kernel {
    /// The one that the harness runs on.
    Native,
    /// One that is booted for each case.
    Guest(Arc<GuestMachine>),
}

/// What is known of a kernel before a case runs on it.
pub(super) struct Description {
    /// `uname -r`.
    pub(super) release: Option<String>,
    /// The tick that it was built with.
    pub(super) hz: Option<Hz>,
}

impl Kernel {
    /// What it tells of itself.
    pub(super) async fn describe(&self) -> Result<Description, JobError> {
        Ok(match self {
            Self::Native => Description {
                release: kernel::release(),
                hz: kernel::hz(),
            },
            Self::Guest(machine) => {
                let said = job::describe(machine, BOOT_LIMIT).await?;
                Description {
                    release: Some(printable(&said.release).into_owned()),
                    hz: said.hz.or_else(|| hz_beside(machine.kernel())),
                }
            }
        })
    }

    /// Whether time leaps over what is idle.
    pub(super) fn is_virtual(&self) -> bool {
        match self {
            Self::Native => false,
            Self::Guest(machine) => machine.is_virtual(),
        }
    }

    /// Whether the machine can hold so many at once.
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

/// The file's name.
impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.pad(NATIVE),
            Self::Guest(machine) => f.pad(&name_of(machine.kernel())),
        }
    }
}

/// The file's name.
pub(super) fn name_of(kernel: &Path) -> String {
    let name = kernel.file_name().unwrap_or(kernel.as_os_str());
    printable(&name.to_string_lossy()).into_owned()
}

/// The tick of `.../vmlinuz-VERSION` by `.../config-VERSION`, where distributions put it: few of
/// their kernels tell it themselves.
fn hz_beside(kernel: &Path) -> Option<Hz> {
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
        assert_eq!(hz_beside(&kernel), None);
        fs::write(
            folder.path().join("config-6.1.0-amd64"),
            "CONFIG_HZ_300=y\nCONFIG_HZ=300\n",
        )
        .unwrap();
        assert_eq!(hz_beside(&kernel), Hz::new(300));
        assert_eq!(hz_beside(&folder.path().join("linux")), None);
    }
}
