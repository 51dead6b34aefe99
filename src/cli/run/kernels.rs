//! Which kernels the cases run on.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deadpeer::errand::{self, ErrandError};
use deadpeer::guest::Machine;
use deadpeer::guest::kernel::{Wanted, find};
use deadpeer::kernel;
use deadpeer::oracle::Ticks;
use deadpeer::runner::Place;

use super::RunArguments;

/// The variable that names the kernel of `--warp` where `--kernel` does not. Without either, it is one from the user's cache.
const VARIABLE: &str = "HARNESS_KERNEL";

/// How long a guest may take to boot and to say what it is.
const BOOT_LIMIT: Duration = Duration::from_secs(60);

/// A kernel that cases run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kernel {
    /// The one that the harness runs on.
    Native,
    /// One that is booted for each case.
    Guest(Arc<Machine>),
}

/// The kernels that the arguments ask for, or what is wrong with them.
pub(super) fn choose(arguments: &RunArguments) -> Result<Vec<Kernel>, String> {
    let names = arguments.kernels.iter().chain(&arguments.kernel);
    let named = names
        .map(|name| named(name))
        .collect::<Result<Vec<_>, _>>()?;
    if !named.is_empty() {
        return Ok(named);
    }
    if arguments.warp {
        return Ok(vec![default_guest()?]);
    }
    if arguments.phases.get() > 1 {
        return Err("--phases needs a guest's clock: add --warp".to_owned());
    }
    Ok(vec![Kernel::Native])
}

fn named(name: &str) -> Result<Kernel, String> {
    if name == "native" {
        return Ok(Kernel::Native);
    }
    guest(PathBuf::from(name))
}

fn default_guest() -> Result<Kernel, String> {
    match env::var_os(VARIABLE) {
        Some(path) => guest(PathBuf::from(path)),
        None => guest(find(Wanted::default()).map_err(|missing| {
            format!("{missing}\n  or name another with --kernel or in {VARIABLE}")
        })?),
    }
}

fn guest(kernel: PathBuf) -> Result<Kernel, String> {
    if !kernel.exists() {
        return Err(format!("there is no kernel at {}", kernel.display()));
    }
    Ok(Kernel::Guest(Arc::new(Machine::Uml { kernel })))
}

impl Kernel {
    /// Its tick, as far as it tells.
    pub(super) async fn ticks(&self) -> Result<Ticks, ErrandError> {
        let hz = match self {
            Self::Native => kernel::hz(),
            Self::Guest(machine) => errand::describe(machine, BOOT_LIMIT).await?.hz,
        };
        Ok(hz.map_or(Ticks::Unknown, Ticks::from))
    }

    pub(super) fn place(&self) -> Place {
        match self {
            Self::Native => Place::Here,
            Self::Guest(machine) => Place::Guest(Arc::clone(machine)),
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.pad("native"),
            Self::Guest(machine) => f.pad(&file_name(machine.kernel())),
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
