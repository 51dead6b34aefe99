//! The one place with unsafe code.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::libc;
use nix::sys::personality::{self, Persona};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;
use nix::unistd::{pipe2, setsid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// From `<asm-generic/fcntl.h>`; the libc crate has it for other systems only.
const F_SETSIG: libc::c_int = 10;

/// Registers a descriptor with the runtime's reactor, for reading.
///
/// # Errors
/// What `epoll_ctl` returns.
#[expect(
    unsafe_code,
    reason = "AsyncFd asks for a promise that every OwnedFd keeps"
)]
pub fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd owns its descriptor, returns the same number each time, and keeps it open
    // until it is dropped, which the AsyncFd does only after it has deregistered it.
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    registered.map_err(|error| error.into_parts().1)
}

/// Sets a socket option that takes an int.
///
/// # Errors
/// What `setsockopt` returns.
#[expect(unsafe_code, reason = "no safe crate sets an option by its number")]
pub(crate) fn set_option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as an int has, from an int.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// The value of a socket option that is an int.
///
/// # Errors
/// What `getsockopt` returns.
#[expect(unsafe_code, reason = "no safe crate reads an option by its number")]
pub fn option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes no more bytes than an int has, to an int.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    Errno::result(result)?;
    Ok(value)
}

/// How many frames a packet socket has dropped since it was last asked (`PACKET_STATISTICS`,
/// packet(7)).
///
/// # Errors
/// What `getsockopt` returns.
#[expect(unsafe_code, reason = "no safe crate has this socket option")]
pub(crate) fn packets_dropped(socket: &OwnedFd) -> io::Result<u32> {
    // struct tpacket_stats: packets, drops.
    let mut statistics = [0_u32; 2];
    let mut size = size_of_val(&statistics) as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes, which is the size of the array, and any bytes
    // make a u32.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            statistics.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    if result == 0 {
        Ok(statistics[1])
    } else {
        Err(io::Error::last_os_error())
    }
}

/// How many connections wait to be accepted (`TCP_INFO`, of a listening socket `sk_ack_backlog`:
/// `tcp_get_info`).
///
/// # Errors
/// What `getsockopt` returns.
#[expect(unsafe_code, reason = "no safe crate has this socket option")]
pub(crate) fn waiting_to_be_accepted(listener: &impl AsRawFd) -> io::Result<u32> {
    // The beginning of struct tcp_info: eight bytes of flags, rto, ato, snd_mss, rcv_mss, unacked,
    // sacked.
    let mut info = [0_u32; 8];
    let mut size = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes, which is the size of the array, and any bytes
    // make a u32.
    let result = unsafe {
        libc::getsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    Errno::result(result)?;
    Ok(info[6])
}

/// How many bytes a pipe holds (`FIONREAD`, pipe(7)).
///
/// # Errors
/// What `ioctl` returns.
#[expect(unsafe_code, reason = "no safe crate has this request")]
pub fn unread(pipe: &impl AsRawFd) -> io::Result<i32> {
    let mut bytes = 0;
    // SAFETY: with this request the kernel writes one int, which `bytes` is.
    let result = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if result == 0 {
        Ok(bytes)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The number of the inherited end of a leash.
const LEASH: RawFd = 1000;

/// The numbers under which descriptors can be inherited.
pub(crate) const INHERITED: [RawFd; 5] = [LEASH + 1, LEASH + 2, LEASH + 3, LEASH + 4, LAST];

/// The last of them.
const LAST: RawFd = LEASH + 5;

/// Keeps the numbers of inherited descriptors free, in that they are taken for good: what stands
/// there between fork and exec is replaced, and must be nothing that the child still needs, however
/// many descriptors are open.
fn reserve() -> io::Result<()> {
    static RESERVED: OnceLock<nix::Result<()>> = OnceLock::new();
    let reserved = *RESERVED.get_or_init(|| {
        let nothing = open("/dev/null", OFlag::O_CLOEXEC, Mode::empty())?;
        let reserve = |number| match fcntl(&nothing, FcntlArg::F_DUPFD_CLOEXEC(number))? {
            reserved if reserved == number => Ok(()),
            _ => Err(Errno::EBUSY),
        };
        [LEASH].into_iter().chain(INHERITED).try_for_each(reserve)
    });
    reserved.map_err(|errno| match (errno, getrlimit(Resource::RLIMIT_NOFILE)) {
        (Errno::EINVAL | Errno::EMFILE, Ok((limit, _))) => io::Error::other(format!(
            "it inherits descriptors up to the number {LAST}, and no process may have more than {limit} open files\n  \
             help: raise the limit (RLIMIT_NOFILE, ulimit -Hn) to {} or more",
            LAST + 1
        )),
        (errno, _) => errno.into(),
    })
}

/// Prepares a command whose process, with all that it starts, is killed when the returned
/// descriptor is closed: by whoever holds it, or by the kernel when the holder ends, in whatever
/// way.
///
/// The descriptor is one end of a pipe. The other end is inherited, and set to send `SIGKILL` to
/// the process group when there is something to read, which a closed pipe counts as (`F_SETSIG` in
/// fcntl(2)). Unlike a parent's death signal, that reaches processes that are forked later, and it
/// does not depend on the thread that forks.
///
/// The process has a session of its own, so that a terminal's signals do not reach it, and leaves
/// no core dump. Its addresses are not randomized: a user-mode kernel manages the gap before its
/// heap as memory, so that each boot would be another, and slower. It inherits the given
/// descriptors under the given numbers, which must be of [`INHERITED`]; here they are closed when
/// the command is dropped. (The numbers are on a guest's command line, and a kernel seeds its
/// random numbers with that.)
///
/// # Errors
/// What `pipe2` returns, and `EBUSY` where the numbers were taken by others before this was first
/// called.
#[expect(
    unsafe_code,
    reason = "between fork and exec, only some functions may be called"
)]
pub fn leash(command: &mut Command, mut inherited: Vec<(OwnedFd, RawFd)>) -> io::Result<OwnedFd> {
    reserve()?;
    let (far, near) = pipe2(OFlag::O_CLOEXEC)?;
    let far_number = far.as_raw_fd();
    inherited.push((far, LEASH));
    let prepare = move || {
        let group = setsid()?;
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        // A container's seccomp filter may refuse it.
        personality::get()
            .and_then(|persona| personality::set(persona | Persona::ADDR_NO_RANDOMIZE))
            .ok();
        // SAFETY: fcntl with these requests takes integers, and the descriptor is open.
        unsafe {
            Errno::result(libc::fcntl(far_number, libc::F_SETOWN, -group.as_raw()))?;
            Errno::result(libc::fcntl(far_number, F_SETSIG, libc::SIGKILL))?;
            Errno::result(libc::fcntl(far_number, libc::F_SETFL, libc::O_ASYNC))?;
        }
        for (descriptor, number) in &inherited {
            // SAFETY: dup2 and fcntl with this request take integers, and the descriptor is open.
            unsafe {
                Errno::result(libc::dup2(descriptor.as_raw_fd(), *number))?;
                Errno::result(libc::fcntl(*number, libc::F_SETFD, 0))?;
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only. It does not allocate (an errno becomes an
    // io::Error without), takes no lock, and its descriptors are open until it is dropped with
    // the command.
    unsafe {
        command.pre_exec(prepare);
    }
    Ok(near)
}

/// Has a command do this between fork and exec. It may make system calls only: another thread may
/// hold any lock, the allocator's too.
#[expect(
    unsafe_code,
    reason = "between fork and exec, only some functions may be called"
)]
pub(crate) fn before_exec(command: &mut Command, work: fn() -> io::Result<()>) {
    // SAFETY: the function makes system calls only, as the caller promises.
    unsafe {
        command.pre_exec(work);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{BufRead, BufReader, Seek, Write};
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    use super::*;

    /// The descriptors that are handed over, and what the standard library tells a failed start by,
    /// have numbers like any other.
    #[test]
    fn what_is_inherited_arrives_however_many_descriptors_are_open() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        // The numbers are reserved by the first leash of a process.
        let first = leash(&mut Command::new("true"), Vec::new()).unwrap();
        let mut open = vec![File::open("/dev/null").unwrap()];
        for _ in 0..20 {
            // What is handed over crosses the reserved numbers.
            while open.last().unwrap().as_raw_fd() < LEASH - 20 {
                open.push(File::open("/dev/null").unwrap());
            }
            let mut files = INHERITED.map(|number| (tempfile::tempfile().unwrap(), number));
            for (file, number) in &mut files {
                write!(file, "{number} ").unwrap();
                file.rewind().unwrap();
            }
            let mut command = Command::new("sh");
            let paths = INHERITED.map(|number| format!("/proc/self/fd/{number}"));
            command.args(["-c", &format!("cat {}", paths.join(" "))]);
            let files = files.map(|(file, number)| (OwnedFd::from(file), number));
            let _leash = leash(&mut command, files.into()).unwrap();
            let output = command.output().unwrap();
            let numbers = INHERITED.map(|number| format!("{number} "));
            assert_eq!(String::from_utf8_lossy(&output.stdout), numbers.concat());
            let mut missing = Command::new("/nonexistent");
            let _leash = leash(&mut missing, Vec::new()).unwrap();
            assert!(missing.output().is_err(), "there is no such program");
            open.push(File::open("/dev/null").unwrap());
        }
        drop(first);
    }

    /// The shell is killed, and so is what it has started: its output would stay open otherwise.
    #[test]
    fn a_closed_leash_kills_the_whole_group() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo started; sleep 1000 & sleep 1000"]);
        command.stdout(Stdio::piped());
        let leash = leash(&mut command, Vec::new()).unwrap();
        let mut shell = command.spawn().unwrap();
        drop(command);
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        assert!(shell.try_wait().unwrap().is_none(), "it must still run");
        drop(leash);
        output.read_line(&mut line).unwrap();
        assert_eq!(shell.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
}
