//! The init process of a guest: this program is process 1 and the only program.

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

/// The environment variable with the path of the device to which init writes the frames. It is set
/// on the kernel's command line.
pub(super) const CHANNEL: &str = "DEADPEER_CHANNEL";

/// In a guest that [`run`](super::run) has booted, passes the job to `handler`, sends the return
/// value to the host, and powers the guest off. In any other process, returns at once.
///
/// Must be called at the start of `main`, while the process has one thread.
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
    // The kernel panics when init ends. This is intended: the console is the only remaining way to
    // report the failure.
    panic!("the guest's init cannot go on: {failure:?}");
}

fn serve(channel: &Path, handler: impl FnOnce(Vec<u8>) -> Vec<u8>) -> io::Result<()> {
    // The channel is a device file, which does not exist before devtmpfs is mounted.
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

/// Opens a serial line in raw mode.
fn open_raw(device: &Path) -> io::Result<File> {
    let line = File::options().read(true).write(true).open(device)?;
    let mut settings = tcgetattr(&line)?;
    cfmakeraw(&mut settings);
    tcsetattr(&line, SetArg::TCSANOW, &settings)?;
    Ok(line)
}

/// Mounts the usual file systems, raises the limit on descriptors, loads the modules, and returns
/// the job.
fn prepare() -> io::Result<Vec<u8>> {
    mount_at("proc", "/proc", "")?;
    mount_at("sysfs", "/sys", "")?;
    mount_at("tmpfs", "/tmp", "")?;
    populate()?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    load_modules()?;
    wait_for_uptime()?;
    fs::read(JOB)
}

/// Waits until the uptime of the kernel is one second.
///
/// With an infinitely fast processor, everything before the first wait happens at time 0, and the
/// kernel uses 0 in some time fields for "never". For example, a SYN with a timestamp of 0 ms
/// counts as not sent (`retrans_stamp`), and its connection attempt lasts for one retransmission
/// more.
fn wait_for_uptime() -> io::Result<()> {
    const UPTIME: Duration = Duration::from_secs(1);
    let up = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
    thread::sleep(UPTIME.saturating_sub(up));
    Ok(())
}

/// Locks the present memory of this program, which maps all of its pages at once.
///
/// Otherwise a user-mode guest needs three process switches for the first access to each page.
/// These were a third of all process switches of a guest.
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
            // The module is already loaded, or it is for another processor.
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
