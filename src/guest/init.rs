//! The guest's side: this program as the first process of a kernel that has nothing else.

use std::any::Any;
use std::convert::Infallible;
use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::getpid;

use super::frame::ChannelFrame;
use super::image::{JOB, MODULES};

/// The variable in which the kernel's command line names the device that the answer goes to.
pub(super) const CHANNEL: &str = "DEADPEER_CHANNEL";

/// In a guest that [`run`](super::run) has booted: gives the job to the handler, sends what it
/// returns, and powers the guest off. Everywhere else: returns.
///
/// Must be called first thing in `main`, with one thread.
pub fn enter_if_guest(handler: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    if getpid().as_raw() != 1 {
        return;
    }
    let Some(channel) = env::var_os(CHANNEL) else {
        return;
    };
    let failure = match serve(Path::new(&channel), handler) {
        Ok(()) => power_off().err(),
        Err(error) => Some(error),
    };
    // The kernel panics when its init ends, and that is what is wanted here: the console is all
    // that is left to tell of it.
    panic!("the guest's init cannot go on: {failure:?}");
}

fn serve(channel: &Path, handler: impl FnOnce(Vec<u8>) -> Vec<u8>) -> io::Result<()> {
    // The channel is a device, so it is not there before this.
    mount_at("devtmpfs", "/dev", "mode=0755")?;
    let mut channel = open_raw(channel)?;
    let answer = match prepare() {
        Ok(job) => catch_unwind(AssertUnwindSafe(|| handler(job))).map_or_else(
            |panic| ChannelFrame::Panic(message(panic.as_ref())),
            ChannelFrame::Result,
        ),
        Err(error) => ChannelFrame::Unready(error.to_string()),
    };
    channel.write_all(&answer.encode())?;
    channel.write_all(&ChannelFrame::Done.encode())?;
    tcdrain(&channel)?;
    Ok(())
}

/// A serial line that passes bytes as they are.
fn open_raw(device: &Path) -> io::Result<File> {
    let line = File::options().read(true).write(true).open(device)?;
    let mut settings = tcgetattr(&line)?;
    cfmakeraw(&mut settings);
    tcsetattr(&line, SetArg::TCSANOW, &settings)?;
    Ok(line)
}

/// Sets the guest up as far as a program expects of a system; the job.
fn prepare() -> io::Result<Vec<u8>> {
    mount_at("proc", "/proc", "")?;
    mount_at("sysfs", "/sys", "")?;
    mount_at("tmpfs", "/tmp", "")?;
    populate()?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    load_modules()?;
    grow_old()?;
    fs::read(JOB)
}

/// Waits until the kernel has been up for a second.
///
/// On an infinitely fast processor, all before the first wait happens at the time 0. Kernels take
/// some clocks' 0 for "never": a SYN whose timestamp is 0 ms has not been sent (`retrans_stamp`),
/// and its connection lasts for one repetition longer.
fn grow_old() -> io::Result<()> {
    const AGE: Duration = Duration::from_secs(1);
    let up = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
    thread::sleep(AGE.saturating_sub(up));
    Ok(())
}

/// Maps all that this program has so far, at once.
///
/// A page that is not there costs a guest in user mode three switches between its processes when it
/// is touched, which were a third of all its switches.
fn populate() -> io::Result<()> {
    Ok(mlockall(MlockAllFlags::MCL_CURRENT)?)
}

fn load_modules() -> io::Result<()> {
    let mut paths = fs::read_dir(MODULES)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    for path in paths {
        let loaded = finit_module(&File::open(&path)?, c"", ModuleInitFlags::empty());
        match loaded {
            // Something has loaded it before, or it is for a processor that is not this one.
            Ok(()) | Err(Errno::EEXIST | Errno::ENODEV) => {}
            Err(errno) => {
                let error = io::Error::from(errno);
                let module = path.file_name().unwrap_or_default().display();
                let message = format!("cannot load the module {module}: {error}");
                return Err(io::Error::new(error.kind(), message));
            }
        }
    }
    Ok(())
}

fn mount_at(kind: &str, path: &str, options: &str) -> io::Result<()> {
    mount(
        Some(kind),
        path,
        Some(kind),
        MsFlags::empty(),
        Some(options),
    )
    .map_err(|errno| {
        let error = io::Error::from(errno);
        io::Error::new(
            error.kind(),
            format!("cannot mount {kind} at {path}: {error}"),
        )
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}

fn power_off() -> io::Result<Infallible> {
    Ok(reboot(RebootMode::RB_POWER_OFF)?)
}
