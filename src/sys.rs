//! System calls that need unsafe code. No other module contains unsafe code.

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

/// The value from `<asm-generic/fcntl.h>`. The libc crate defines it for other systems only.
const F_SETSIG: libc::c_int = 10;

/// Registers a descriptor with the runtime's reactor, for reading.
///
/// # Errors
/// The error of `epoll_ctl`.
#[expect(
    unsafe_code,
    reason = "AsyncFd requires a guarantee that every OwnedFd gives"
)]
pub(crate) fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd owns its descriptor, returns the same number each time, and keeps it open
    // until it is dropped, which the AsyncFd does only after it has deregistered it.
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    registered.map_err(|error| error.into_parts().1)
}

/// Sets a socket option of type int.
///
/// # Errors
/// The error of `setsockopt`.
#[expect(unsafe_code, reason = "no safe crate sets an option by its number")]
pub(crate) fn set_option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the kernel reads `size_of::<c_int>()` bytes from an int.
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

/// The value of a socket option of type int.
///
/// # Errors
/// The error of `getsockopt`.
#[expect(unsafe_code, reason = "no safe crate reads an option by its number")]
pub(crate) fn option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes at most `size_of::<c_int>()` bytes to an int.
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

/// The number of frames that a packet socket has dropped since the last call (`PACKET_STATISTICS`,
/// packet(7)).
///
/// # Errors
/// The error of `getsockopt`.
#[expect(unsafe_code, reason = "no safe crate has this socket option")]
pub(crate) fn packets_dropped(socket: &OwnedFd) -> io::Result<u32> {
    // struct tpacket_stats: packets, drops.
    let mut statistics = [0_u32; 2];
    let mut size = size_of_val(&statistics) as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes, which is the size of the array, and every bit
    // pattern is a valid u32.
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

/// The number of connections in the accept queue of a listening socket. `TCP_INFO` of such a socket
/// returns `sk_ack_backlog` in `tcpi_unacked` (`tcp_get_info`).
///
/// # Errors
/// The error of `getsockopt`.
#[expect(unsafe_code, reason = "no safe crate has this socket option")]
pub(crate) fn waiting_to_be_accepted(listener: &impl AsRawFd) -> io::Result<u32> {
    // The beginning of struct tcp_info: eight bytes of flags, rto, ato, snd_mss, rcv_mss, unacked,
    // sacked.
    let mut info = [0_u32; 8];
    let mut size = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes, which is the size of the array, and every bit
    // pattern is a valid u32.
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

/// The number of unread bytes in a pipe (`FIONREAD`, pipe(7)).
///
/// # Errors
/// The error of `ioctl`.
#[expect(unsafe_code, reason = "no safe crate has this request")]
pub(crate) fn unread(pipe: &impl AsRawFd) -> io::Result<i32> {
    let mut bytes = 0;
    // SAFETY: with this request the kernel writes one int, and `bytes` is an int.
    let result = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if result == 0 {
        Ok(bytes)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The descriptor number of the inherited end of the kill-on-drop pipe.
const LEASH: RawFd = 1000;

/// The descriptor numbers that a child can inherit.
pub(crate) const INHERITED: [RawFd; 5] = [LEASH + 1, LEASH + 2, LEASH + 3, LEASH + 4, LAST];

/// The last of them.
const LAST: RawFd = LEASH + 5;

/// Reserves the numbers of inherited descriptors permanently, by opening `/dev/null` under them.
/// Between fork and exec, dup2(2) replaces the descriptors with these numbers, so none of them may
/// be one that the child still needs, however many descriptors are open.
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

/// Prepares a command with a kill-on-drop pipe: its process, and all processes that it starts, are
/// killed when the returned descriptor is closed, either by its owner or by the kernel when the
/// owner's process ends in any way.
///
/// The returned descriptor is one end of a pipe. The child inherits the other end. That end sends
/// `SIGKILL` to the process group when it becomes readable, which includes the closing of the pipe
/// (`F_SETSIG` in fcntl(2)). Unlike a parent-death signal, this also kills processes that are
/// forked later, and it does not depend on the thread that forks.
///
/// The process has its own session, so that signals of a terminal do not reach it, and it leaves no
/// core dump. Its addresses are not randomized: a user-mode kernel manages the gap before its heap
/// as memory, so that each boot would differ and would be slower. The child inherits the given
/// descriptors under the given numbers, which must be in [`INHERITED`]; in this process they are
/// closed when the command is dropped. (The numbers are fixed because they are on the command line
/// of a guest, and a kernel seeds its random numbers with the command line.)
///
/// # Errors
/// The error of `pipe2`, and `EBUSY` if other descriptors had these numbers before the first call.
#[expect(
    unsafe_code,
    reason = "between fork and exec, only some functions may be called"
)]
pub(crate) fn leash(
    command: &mut Command,
    mut inherited: Vec<(OwnedFd, RawFd)>,
) -> io::Result<OwnedFd> {
    reserve()?;
    let (far, near) = pipe2(OFlag::O_CLOEXEC)?;
    let far_number = far.as_raw_fd();
    inherited.push((far, LEASH));
    let prepare = move || {
        let group = setsid()?;
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        // The seccomp filter of a container may refuse this, so an error is ignored.
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
    // SAFETY: the closure makes system calls only. It does not allocate (an errno is converted to
    // an io::Error without allocation), takes no lock, and its descriptors are open until it is
    // dropped with the command.
    unsafe {
        command.pre_exec(prepare);
    }
    Ok(near)
}

/// Registers a function that the child of a command calls between fork and exec. The function may
/// make system calls only: another thread may have held any lock at the fork, including the lock of
/// the allocator.
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

    /// The inherited descriptors, and the pipe by which the standard library reports a failed exec,
    /// may have any number.
    #[test]
    fn what_is_inherited_arrives_however_many_descriptors_are_open() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        // The first call in a process reserves the numbers.
        let first = leash(&mut Command::new("true"), Vec::new()).unwrap();
        let mut open = vec![File::open("/dev/null").unwrap()];
        for _ in 0..20 {
            // The numbers of the inherited descriptors get past the reserved ones.
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

    /// The shell is killed, and so are the processes that it has started: otherwise the output
    /// would stay open.
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
