//! The host's side: a machine, started for one job.

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

/// What an unprivileged process may ask for, unless the system's administrator has changed it
/// (pipe(7)).
const PIPE: i32 = 1 << 20;

/// The job of a boot that is only to show that it works.
const PROBE: &[u8] = &[];

/// What a kernel says that has unpacked no init (`kernel_init`).
const NO_INIT: &str = "No working init found";

/// A boot on KVM takes a second. One that takes longer than this is no gain over translated
/// instructions.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// What a guest runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestMachine {
    /// A kernel built for user mode, in virtual time.
    Uml {
        /// The kernel, which is a program.
        kernel: PathBuf,
    },
    /// A distribution's kernel in QEMU.
    Qemu {
        /// The kernel, as a boot loader takes it (`vmlinuz`).
        kernel: PathBuf,
        /// A folder like `/lib/modules/VERSION`; `None` for a kernel that has everything built in.
        modules: Option<PathBuf>,
        /// How it is executed.
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

    /// Under which numbers it finds its image.
    fn inherits(&self, image: Image) -> io::Result<Vec<(OwnedFd, RawFd)>> {
        Ok(match self {
            GuestMachine::Uml { .. } => vec![(image.program, PROGRAM), (image.job, JOB)],
            GuestMachine::Qemu { .. } => vec![(image.joined()?, PROGRAM)],
        })
    }

    /// Its kernel, opened with the rights of this process: as whom the guest runs need not reach it
    /// by its path.
    fn open_kernel(&self) -> io::Result<OwnedFd> {
        match self {
            GuestMachine::Uml { kernel } => Ok(File::open(kernel)?.into()),
            GuestMachine::Qemu { kernel, .. } => {
                image::sealed(&fs::read(kernel)?).map(OwnedFd::from)
            }
        }
    }

    /// A guest never runs as root: where this process does, its guest is nobody, in the group that
    /// may use KVM.
    fn lower(&self, command: &mut Command) {
        let Some(nobody) = privilege::user_of_guests() else {
            return;
        };
        let group = match self {
            GuestMachine::Uml { .. } => None,
            GuestMachine::Qemu { .. } => fs::metadata(qemu::KVM).map(|kvm| kvm.gid()).ok(),
        };
        let group = group.filter(|group| *group != 0).unwrap_or(nobody);
        // Without any other group.
        command.uid(nobody).gid(group);
    }

    /// Whether its time leaps over what is idle.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        match self {
            GuestMachine::Uml { .. } => true,
            GuestMachine::Qemu { accel, .. } => *accel == Accel::Icount,
        }
    }

    /// QEMU has threads that run beside each other, and finds memory for itself.
    fn is_user_mode(&self) -> bool {
        matches!(self, GuestMachine::Uml { .. })
    }

    fn not_started(&self, error: io::Error) -> Failure {
        match self {
            GuestMachine::Qemu { .. } if error.kind() == io::ErrorKind::NotFound => Failure::NoQemu,
            _ => Failure::Start(error),
        }
    }

    /// Its kernel's file.
    #[must_use]
    pub fn kernel(&self) -> &Path {
        match self {
            GuestMachine::Uml { kernel } | GuestMachine::Qemu { kernel, .. } => kernel,
        }
    }
}

/// Boots a machine whose init is this program, gives it a job, and returns what its handler made of
/// it (see [`enter_if_guest`](super::enter_if_guest)).
///
/// The limit is one of wall-clock time. The guest is killed at once where the future is dropped.
///
/// # Errors
/// [`GuestError`], with the last of the guest's console.
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

/// Whether a user-mode kernel has ended because it does not know how to take its image.
fn is_foreign(machine: &GuestMachine, console: &str) -> bool {
    matches!(machine, GuestMachine::Uml { .. }) && console.contains(NO_INIT)
}

/// How a distribution's kernel is best executed in real time on this machine.
///
/// That there is `/dev/kvm` proves nothing: in a virtual machine it may fail seconds later, at an
/// instruction that it cannot emulate. So the kernel itself is booted with it.
pub async fn real_time(kernel: &Path, modules: Option<&Path>) -> Accel {
    let machine = GuestMachine::Qemu {
        kernel: kernel.to_owned(),
        modules: modules.map(Path::to_owned),
        accel: Accel::Kvm,
    };
    match run(&machine, PROBE, PROBE_LIMIT).await {
        Ok(_) => Accel::Kvm,
        Err(error) => match error.failure {
            // The handler has run; that it knows no such job is another matter.
            Failure::Panicked(_) => Accel::Kvm,
            _ => Accel::Tcg,
        },
    }
}

/// A guest that runs as long as this value lives.
struct Guest {
    leash: OwnedFd,
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
        machine.lower(&mut command);
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
        let leash = sys::leash(command.as_std_mut(), inherited).map_err(Failure::Start)?;
        privilege::without_privileges(command.as_std_mut());
        let process = command
            .spawn()
            .map_err(|error| machine.not_started(error))?;
        Ok(Self {
            place: machine.is_user_mode().then(|| seat(&process)).flatten(),
            memory,
            leash,
            process,
            channel: BufReader::new(Receiver::from_owned_fd(channel).map_err(Failure::Start)?),
            console: Console::new(console).map_err(Failure::Start)?,
        })
    }

    /// What the guest answers; `None` where it ends first.
    async fn answer(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        tokio::select! {
            answer = receive(&mut self.channel) => answer,
            never = self.console.listen() => never,
        }
    }

    /// Kills it, if it has not ended; how it ended, and the last of its console.
    async fn stop(mut self) -> (String, String) {
        drop(self.leash);
        let ended = self.process.wait().await;
        // On one processor, no program of the guest has run since its kernel has: they had all been
        // killed before. On several, one might run for some microseconds more.
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

/// A place for a process; where there is none, it runs wherever the host lets it, and slower.
fn seat(process: &Child) -> Option<Place> {
    let id = i32::try_from(process.id()?).ok()?;
    let place = Place::take().ok()?;
    place.assign(Pid::from_raw(id)).ok()?;
    Some(place)
}

/// Reads what a guest says up to its answer; `None` where it ends first.
///
/// # Errors
/// [`Failure`]: what it says of itself, or that it cannot be understood.
pub async fn receive(channel: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>, Failure> {
    let mut result = None;
    loop {
        match ChannelFrame::read(channel).await {
            Ok(Some(ChannelFrame::Result(bytes))) => result = Some(bytes),
            Ok(Some(ChannelFrame::Panic(message))) => return Err(Failure::Panicked(message)),
            Ok(Some(ChannelFrame::Unready(reason))) => return Err(Failure::Unready(reason)),
            Ok(Some(ChannelFrame::Done)) if result.is_some() => return Ok(result),
            Ok(Some(ChannelFrame::Done)) => {
                return Err(Failure::Garbled(io::Error::other("it is empty")));
            }
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(Failure::Garbled(error)),
        }
    }
}

/// The reading and the writing end of a pipe that takes most results at once.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reading, writing) = pipe2(OFlag::O_CLOEXEC)?;
    // A smaller one only means more switches between the guest and the harness.
    fcntl(&writing, FcntlArg::F_SETPIPE_SZ(PIPE)).ok();
    Ok((reading, writing))
}
