//! Which kernels the arguments name, before anything of them is started.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deadpeer::guest::{self, Accel, GuestMachine};
use deadpeer::privilege;
use kernel_builder::{KernelSpec, Series, find};

use super::RunArguments;
use super::kernels::{Kernel, name_of};
use crate::cli::Exit;

/// The variable that names the kernel of `--warp` where `--kernel` does not. Without either, it is
/// one from the user's cache.
const VARIABLE: &str = "HARNESS_KERNEL";

/// The name of the kernel that the harness runs on.
pub(super) const NATIVE: &str = "native";

/// A kernel as the arguments name it. Its file has been found and looked at, and nothing has been
/// started yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// The one that the harness runs on.
    Native,
    /// One for user mode.
    UserMode(PathBuf),
    /// A distribution's.
    Stock {
        kernel: PathBuf,
        modules: Option<PathBuf>,
        /// In virtual time.
        warp: bool,
    },
}

/// Why there is nothing to run cases on, and the exit status that says so.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) exit: Exit,
    pub(super) message: String,
}

impl Refused {
    /// What is asked for contradicts itself.
    fn usage(message: &str) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.to_owned(),
        }
    }

    /// There is no such kernel here.
    fn missing(message: String) -> Self {
        Self {
            exit: Exit::Environment,
            message,
        }
    }
}

/// The kernels that the arguments ask for, or what is wrong with them.
pub(super) fn named(arguments: &RunArguments) -> Result<Vec<Named>, Refused> {
    let names: Vec<&String> = arguments.kernels.iter().chain(&arguments.kernel).collect();
    if let Some(twice) = (1..names.len()).find(|place| names[..*place].contains(&names[*place])) {
        return Err(Refused::usage(&format!(
            "--kernels names {} twice: name each kernel once",
            names[twice]
        )));
    }
    let named = match (names.as_slice(), arguments.warp) {
        ([], true) => vec![default_guest(arguments)?],
        ([], false) => vec![Named::Native],
        (names, _) => names
            .iter()
            .map(|name| of_name(arguments, name))
            .collect::<Result<_, _>>()?,
    };
    match contradiction(arguments, &named) {
        Some(message) => Err(Refused::usage(message)),
        None => Ok(named),
    }
}

/// What would have no effect if it were not refused.
fn contradiction(arguments: &RunArguments, named: &[Named]) -> Option<&'static str> {
    let is_stock = |named: &Named| matches!(named, Named::Stock { .. });
    if arguments.warp && named.contains(&Named::Native) && !named.iter().any(is_stock) {
        Some(
            "--warp cannot make this machine's own kernel virtual: leave out `native` or --warp (7.2, 6.12 and 6.1 are in virtual time without it)",
        )
    } else if arguments.modules.is_some() && !named.iter().any(is_stock) {
        Some("--modules is for a distribution's kernel (vmlinuz), and none is named: add --kernel")
    } else if arguments.phases.get() > 1 && !named.iter().all(Named::is_virtual) {
        Some("--phases needs virtual time: add --warp, and leave out `native`")
    } else {
        None
    }
}

fn of_name(arguments: &RunArguments, name: &str) -> Result<Named, Refused> {
    if name == NATIVE {
        return Ok(Named::Native);
    }
    match name.parse::<Series>() {
        Ok(series) => {
            let spec = KernelSpec {
                series,
                ..KernelSpec::default()
            };
            guest(arguments, cached(spec)?)
        }
        Err(_) if is_number(name) && !Path::new(name).exists() => Err(Refused {
            exit: Exit::Usage,
            message: format!(
                "there is no series {name}, and no file of that name: {}, a path, or {NATIVE}; `harness kernel list` shows what is built",
                Series::ALL.map(|series| series.to_string()).join(", ")
            ),
        }),
        Err(_) => guest(arguments, PathBuf::from(name)),
    }
}

/// Whether it looks like a version of Linux: `6.6`, `6.12.3`.
fn is_number(name: &str) -> bool {
    let mut parts = name.split('.');
    parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn default_guest(arguments: &RunArguments) -> Result<Named, Refused> {
    let path = match env::var_os(VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => cached(KernelSpec::default())?,
    };
    guest(arguments, path)
}

fn cached(spec: KernelSpec) -> Result<PathBuf, Refused> {
    find(spec, privilege::home()).map_err(|missing| {
        Refused::missing(format!(
            "{missing}\n  or name another with --kernel or in {VARIABLE}"
        ))
    })
}

fn guest(arguments: &RunArguments, kernel: PathBuf) -> Result<Named, Refused> {
    match Image::of(&kernel) {
        Ok(Image::UserMode) => Ok(Named::UserMode(kernel)),
        Ok(Image::BootLoaders) => Ok(Named::Stock {
            modules: arguments.modules.clone().or_else(|| modules_of(&kernel)),
            warp: arguments.warp,
            kernel,
        }),
        Err(reason) => Err(Refused::missing(format!("{}: {reason}", kernel.display()))),
    }
}

impl Named {
    /// Whether it will be in virtual time.
    fn is_virtual(&self) -> bool {
        match self {
            Self::Native => false,
            Self::UserMode(_) => true,
            Self::Stock { warp, .. } => *warp,
        }
    }

    /// The kernel itself. A distribution's is booted to see whether KVM works.
    pub(super) async fn ready(self) -> Kernel {
        let machine = match self {
            Self::Native => return Kernel::Native,
            Self::UserMode(kernel) => GuestMachine::Uml { kernel },
            Self::Stock {
                kernel,
                modules,
                warp,
            } => {
                let accel = if warp {
                    Accel::Icount
                } else {
                    guest::real_time(&kernel, modules.as_deref()).await
                };
                GuestMachine::Qemu {
                    kernel,
                    modules,
                    accel,
                }
            }
        };
        Kernel::Guest(Arc::new(machine))
    }
}

/// What kind of kernel a file is.
enum Image {
    /// A program: `ARCH=um`.
    UserMode,
    /// As a boot loader takes it: `vmlinuz`.
    BootLoaders,
}

impl Image {
    fn of(path: &Path) -> Result<Self, String> {
        /// Where the boot protocol's signature ends (Documentation/arch/x86/boot.rst).
        const HEAD: usize = 0x206;
        let mut head = [0; HEAD];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
        read.map_err(|error| format!("cannot read a kernel: {error}"))?;
        if head.starts_with(b"\x7fELF") {
            Ok(Self::UserMode)
        } else if head.ends_with(b"HdrS") {
            Ok(Self::BootLoaders)
        } else {
            Err("this is no kernel: neither one for user mode (an ELF program) nor an x86 one as a boot loader takes it (vmlinuz)".to_owned())
        }
    }
}

/// The modules of `.../boot/vmlinuz-VERSION`: `.../lib/modules/VERSION`, where a distribution's
/// package has them.
fn modules_of(kernel: &Path) -> Option<PathBuf> {
    let version = kernel.file_name()?.to_str()?.strip_prefix("vmlinuz-")?;
    let root = kernel.parent()?.parent()?;
    let folders = ["lib/modules", "usr/lib/modules"];
    let folders = folders.map(|folder| root.join(folder).join(version));
    folders.into_iter().find(|folder| folder.is_dir())
}

/// As [`Kernel`] is told.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.pad(NATIVE),
            Self::UserMode(kernel) | Self::Stock { kernel, .. } => f.pad(&name_of(kernel)),
        }
    }
}
