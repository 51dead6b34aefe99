//! Finds the kernels that the arguments name, without starting them.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::guest::{self, Accel, GuestMachine};
use crate::privilege;
use kernel_builder::{KernelSpec, Series, find};

use super::RunArguments;
use super::kernels::{Kernel, NATIVE, name_of};
use crate::cli::Exit;

/// The environment variable that names the kernel for `--warp` without `--kernel`. If it is not
/// set, the kernel comes from the user's cache.
const VARIABLE: &str = "HARNESS_KERNEL";

/// A kernel that the arguments name. The type of its file is known; the kernel has not been
/// started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// The kernel that the harness runs on.
    Native,
    /// A user-mode kernel (`ARCH=um`).
    UserMode(PathBuf),
    /// A distribution's kernel, for QEMU.
    Stock {
        kernel: PathBuf,
        modules: Option<PathBuf>,
        /// Whether it runs in virtual time.
        warp: bool,
    },
}

/// Why the kernels cannot be used, and the exit status.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) exit: Exit,
    pub(super) message: String,
}

impl Refused {
    /// The arguments contradict each other.
    fn usage(message: &str) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.to_owned(),
        }
    }

    /// The kernel does not exist on this machine.
    fn missing(message: String) -> Self {
        Self {
            exit: Exit::Environment,
            message,
        }
    }
}

/// Returns the kernels that the arguments name.
///
/// # Errors
/// [`Refused`] if a kernel is missing or named twice, or if the arguments contradict each other.
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

/// Returns an error message if an option has no effect on the named kernels.
fn contradiction(arguments: &RunArguments, named: &[Named]) -> Option<&'static str> {
    let is_stock = |named: &Named| matches!(named, Named::Stock { .. });
    if arguments.warp && named.contains(&Named::Native) && !named.iter().any(is_stock) {
        Some(
            "--warp cannot run this machine's own kernel in virtual time: omit `native` or --warp (7.2, 6.12 and 6.1 run in virtual time without it)",
        )
    } else if arguments.modules.is_some() && !named.iter().any(is_stock) {
        Some("--modules needs a distribution's kernel (vmlinuz): name one with --kernel")
    } else if arguments.phases.get() > 1 && !named.iter().all(Named::is_virtual) {
        Some("--phases needs virtual time: add --warp, and omit `native`")
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
                "no kernel series or file is named {name}: use {}, a path, or {NATIVE}; `harness kernel list` prints the kernels that are built",
                Series::ALL.map(|series| series.to_string()).join(", ")
            ),
        }),
        Err(_) => guest(arguments, PathBuf::from(name)),
    }
}

/// Returns whether the name looks like a Linux version: `6.6`, `6.12.3`.
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
            "{missing}\n  or name another kernel with --kernel or in {VARIABLE}"
        ))
    })
}

fn guest(arguments: &RunArguments, kernel: PathBuf) -> Result<Named, Refused> {
    match Image::of(&kernel) {
        Ok(Image::UserMode) => Ok(Named::UserMode(kernel)),
        Ok(Image::BootImage) => Ok(Named::Stock {
            modules: arguments.modules.clone().or_else(|| modules_of(&kernel)),
            warp: arguments.warp,
            kernel,
        }),
        Err(reason) => Err(Refused::missing(format!("{}: {reason}", kernel.display()))),
    }
}

impl Named {
    /// Returns whether the kernel runs in virtual time.
    fn is_virtual(&self) -> bool {
        match self {
            Self::Native => false,
            Self::UserMode(_) => true,
            Self::Stock { warp, .. } => *warp,
        }
    }

    /// Returns the kernel, ready to run cases. A distribution's kernel for real time is booted, to
    /// find out whether KVM works.
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

/// The type of a kernel file.
enum Image {
    /// A program (ELF): `ARCH=um`.
    UserMode,
    /// An x86 boot image: `vmlinuz`.
    BootImage,
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
            Ok(Self::BootImage)
        } else {
            Err("not a kernel: the file is neither a user-mode kernel (an ELF program) nor an x86 boot image (vmlinuz)".to_owned())
        }
    }
}

/// Returns the folder of the modules of `.../boot/vmlinuz-VERSION`: `.../lib/modules/VERSION` or
/// `.../usr/lib/modules/VERSION`, where a distribution's package installs them.
fn modules_of(kernel: &Path) -> Option<PathBuf> {
    let version = kernel.file_name()?.to_str()?.strip_prefix("vmlinuz-")?;
    let root = kernel.parent()?.parent()?;
    let folders = ["lib/modules", "usr/lib/modules"];
    let folders = folders.map(|folder| root.join(folder).join(version));
    folders.into_iter().find(|folder| folder.is_dir())
}

/// Writes the same name as [`Kernel`].
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.pad(NATIVE),
            Self::UserMode(kernel) | Self::Stock { kernel, .. } => f.pad(&name_of(kernel)),
        }
    }
}
