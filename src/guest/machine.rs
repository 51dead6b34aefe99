//! The host side of a guest: starts a machine for one job and receives the result.

use std::fs::{self, File};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{Pid, pipe2};
use tokio::io::{AsyncRead, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::console::Console;
use super::descriptors::{CHANNEL, JOB, KERNEL, MEMORY, PROGRAM};
use super::error::{Failure, GuestError};
use super::frame::ChannelFrame;
use super::image::{self, Image};
use super::memory::Memory;
use super::modules::{self, Module};
use super::processor::Place;
use super::qemu::{self, Accel};
use super::uml;
use crate::privilege;
use crate::sys;

/// The size of the pipes in bytes: the maximum for an unprivileged process by default (pipe(7)).
const PIPE: i32 = 1 << 20;

/// An empty job, for a boot that only tests whether the machine works.
const PROBE: &[u8] = &[];

/// The message of a kernel that has not unpacked an init process (`kernel_init`).
const NO_INIT: &str = "No working init found";

/// The time limit for the test of KVM. A boot on KVM takes about a second. A KVM that is slower
/// than this limit has no advantage over emulation.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// The machine of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestMachine {
    /// A user-mode kernel, in virtual time.
    Uml {
        /// The kernel, which is a program of the host.
        kernel: PathBuf,
    },
    /// A distribution's kernel in QEMU.
    Qemu {
        /// The kernel image, in the format for a boot loader (`vmlinuz`).
        kernel: PathBuf,
        /// A folder like `/lib/modules/VERSION`; `None` for a kernel that has everything built in.
        modules: Option<PathBuf>,
        /// How QEMU executes instructions.
        accel: Accel,
    },
}

impl GuestMachine {
    fn modules(&self) -> Result<Arc<[Module]>, Failure> {
        match self {
            GuestMachine::Qemu {
                modules: Some(folder),
                ..
            } => Ok(modules::of(folder)?),
            _ => Ok(Arc::new([])),
        }
    }

    /// The descriptors of the initramfs, with the numbers under which the process inherits them.
    fn inherits(&self, image: Image) -> io::Result<Vec<(OwnedFd, RawFd)>> {
        Ok(match self {
            GuestMachine::Uml { .. } => vec![(image.program, PROGRAM), (image.job, JOB)],
            GuestMachine::Qemu { .. } => vec![(image.joined()?, PROGRAM)],
        })
    }

    /// Opens the kernel with the rights of this process. The user of the guest may not be able to
    /// open the path.
    fn open_kernel(&self) -> io::Result<OwnedFd> {
        match self {
            GuestMachine::Uml { kernel } => Ok(File::open(kernel)?.into()),
            GuestMachine::Qemu { kernel, .. } => {
                image::sealed(&fs::read(kernel)?).map(OwnedFd::from)
            }
        }
    }

    /// Sets the user of the guest's process. A guest never runs as root: if this process is root
    /// and may change its user, the guest runs as `nobody`, in the group of `/dev/kvm` if it needs
    /// KVM.
    fn set_user(&self, command: &mut Command) {
        let Some(nobody) = privilege::user_of_guests() else {
            return;
        };
        let group = match self {
            GuestMachine::Uml { .. } => None,
            GuestMachine::Qemu { .. } => fs::metadata(qemu::KVM).map(|kvm| kvm.gid()).ok(),
        };
        let group = group.filter(|group| *group != 0).unwrap_or(nobody);
        // The process has no supplementary groups.
        command.uid(nobody).gid(group);
    }

    /// Whether time is virtual: idle time passes at once.
    #[must_use]
    pub(crate) fn is_virtual(&self) -> bool {
        match self {
            GuestMachine::Uml { .. } => true,
            GuestMachine::Qemu { accel, .. } => *accel == Accel::Icount,
        }
    }

    /// Whether the kernel is a user-mode kernel. QEMU needs neither a processor of its own, since
    /// its threads run in parallel, nor a memory file.
    fn is_user_mode(&self) -> bool {
        matches!(self, GuestMachine::Uml { .. })
    }

    fn not_started(&self, error: io::Error) -> Failure {
        match self {
            GuestMachine::Qemu { .. } if error.kind() == io::ErrorKind::NotFound => Failure::NoQemu,
            _ => Failure::Start(error),
        }
    }

    /// The path of the kernel.
    #[must_use]
    pub(crate) fn kernel(&self) -> &Path {
        match self {
            GuestMachine::Uml { kernel } | GuestMachine::Qemu { kernel, .. } => kernel,
        }
    }
}

/// Boots a machine with this program as init, sends a job, and returns the handler's return value
/// (see [`enter_if_guest`](super::enter_if_guest)).
///
/// `limit` is wall-clock time. Dropping the future kills the guest at once.
///
/// # Errors
/// [`GuestError`], with the last lines of the guest's console.
pub async fn run(
    machine: &GuestMachine,
    job: &[u8],
    limit: Duration,
) -> Result<Vec<u8>, GuestError> {
    let failed = |failure, console| GuestError {
        kernel: machine.kernel().to_owned(),
        failure,
        console,
    };
    let mut guest = Guest::start(machine, job).map_err(|failure| failed(failure, String::new()))?;
    let answer = timeout(limit, guest.answer()).await;
    let (status, console) = guest.stop().await;
    let failure = match answer {
        Ok(Ok(Some(result))) => return Ok(result),
        Ok(Ok(None)) if is_foreign(machine, &console) => Failure::Foreign(status),
        Ok(Ok(None)) => Failure::Ended(status),
        Ok(Err(failure)) => failure,
        Err(_) => Failure::Limit(limit),
    };
    Err(failed(failure, console))
}

/// Whether a user-mode kernel ended because it could not read its initramfs.
fn is_foreign(machine: &GuestMachine, console: &str) -> bool {
    matches!(machine, GuestMachine::Uml { .. }) && console.contains(NO_INIT)
}

/// The fastest way to execute a distribution's kernel in real time on this machine.
///
/// Boots the kernel with KVM to find out. The existence of `/dev/kvm` is not sufficient: in a
/// virtual machine, KVM may fail seconds later at an instruction that it cannot emulate.
pub async fn real_time(kernel: &Path, modules: Option<&Path>) -> Accel {
    let machine = GuestMachine::Qemu {
        kernel: kernel.to_owned(),
        modules: modules.map(Path::to_owned),
        accel: Accel::Kvm,
    };
    match run(&machine, PROBE, PROBE_LIMIT).await {
        Ok(_) => Accel::Kvm,
        Err(error) => match error.failure {
            // The handler has run, so KVM works. The panic is due to the empty job.
            Failure::Panicked(_) => Accel::Kvm,
            _ => Accel::Tcg,
        },
    }
}

/// A running guest. Dropping this value kills it.
struct Guest {
    kill_on_drop: OwnedFd,
    place: Option<Place>,
    memory: Option<Memory>,
    process: Child,
    channel: BufReader<Receiver>,
    console: Console,
}

impl Guest {
    fn start(machine: &GuestMachine, job: &[u8]) -> Result<Self, Failure> {
        let modules = machine.modules()?;
        let image = Image::new(&modules, job).map_err(Failure::Image)?;
        let kernel = machine.open_kernel().map_err(Failure::Start)?;
        let (channel, channel_end) = pipe().map_err(Failure::Start)?;
        let (console, console_end) = pipe().map_err(Failure::Start)?;
        let mut command = match machine {
            GuestMachine::Uml { kernel } => uml::command(kernel),
            GuestMachine::Qemu { accel, .. } => qemu::command(*accel),
        };
        machine.set_user(&mut command);
        let error_end = console_end.try_clone().map_err(Failure::Start)?;
        command.stdin(Stdio::null());
        command.stdout(console_end).stderr(error_end);
        let mut inherited = machine.inherits(image).map_err(Failure::Image)?;
        inherited.extend([(channel_end, CHANNEL), (kernel, KERNEL)]);
        let memory = machine.is_user_mode().then(Memory::take);
        let memory = memory.transpose().map_err(Failure::Start)?;
        if let Some(memory) = &memory {
            inherited.push((memory.descriptor().map_err(Failure::Start)?, MEMORY));
        }
        let kill_on_drop = sys::leash(command.as_std_mut(), inherited).map_err(Failure::Start)?;
        privilege::without_privileges(command.as_std_mut());
        let process = command
            .spawn()
            .map_err(|error| machine.not_started(error))?;
        Ok(Self {
            place: machine.is_user_mode().then(|| pin(&process)).flatten(),
            memory,
            kill_on_drop,
            process,
            channel: BufReader::new(Receiver::from_owned_fd(channel).map_err(Failure::Start)?),
            console: Console::new(console).map_err(Failure::Start)?,
        })
    }

    /// The result of the guest; `None` if the guest ends without one.
    async fn answer(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        tokio::select! {
            answer = receive(&mut self.channel) => answer,
            never = self.console.drain() => never,
        }
    }

    /// Kills the guest if it still runs. Returns the exit status and the last lines of the console.
    async fn stop(mut self) -> (String, String) {
        drop(self.kill_on_drop);
        let ended = self.process.wait().await;
        // The memory can be reused only if no process of the guest still runs. All of them are
        // pinned to one processor, so none of the guest's programs can have run after the kernel
        // process ended: they were killed before. On several processors, one could still run for
        // some microseconds.
        if let (Ok(_), Some(_), Some(memory)) = (&ended, self.place, self.memory) {
            memory.give_back();
        }
        let status = match ended {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        (status, self.console.tail())
    }
}

/// Pins a process to a processor. If this fails, the process runs on any processor, and slower.
fn pin(process: &Child) -> Option<Place> {
    let id = i32::try_from(process.id()?).ok()?;
    let place = Place::take().ok()?;
    place.assign(Pid::from_raw(id)).ok()?;
    Some(place)
}

/// Reads the frames of a guest up to the end of its result; `None` if the guest ends first.
///
/// # Errors
/// [`Failure`], if the guest reports one or the frames cannot be decoded.
pub async fn receive(channel: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>, Failure> {
    let mut result = None;
    loop {
        match ChannelFrame::read(channel).await {
            Ok(Some(ChannelFrame::Result(bytes))) => result = Some(bytes),
            Ok(Some(ChannelFrame::Panic(message))) => return Err(Failure::Panicked(message)),
            Ok(Some(ChannelFrame::Unready(reason))) => return Err(Failure::Unready(reason)),
            Ok(Some(ChannelFrame::Done)) if result.is_some() => return Ok(result),
            Ok(Some(ChannelFrame::Done)) => {
                return Err(Failure::Garbled(io::Error::other("it is missing")));
            }
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(Failure::Garbled(error)),
        }
    }
}

/// The reading and the writing end of a pipe that is large enough for most results.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reading, writing) = pipe2(OFlag::O_CLOEXEC)?;
    // A smaller pipe only causes more process switches between the guest and the harness.
    fcntl(&writing, FcntlArg::F_SETPIPE_SZ(PIPE)).ok();
    Ok((reading, writing))
}
