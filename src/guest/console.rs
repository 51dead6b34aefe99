//! Keeps the last lines of a guest's console. If a guest fails without a frame, the console is the
//! only evidence of the cause.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use tokio::net::unix::pipe::Receiver;
use tokio::time::sleep;

use crate::sys;

/// The number of lines that are kept. About thirty lines follow the message of a kernel panic, and
/// fifty if the stack has many old frames.
const LINES: usize = 80;

/// The maximum length of a line in bytes. A longer line is split.
const LINE: usize = 4096;

/// The reading end of the pipe that is a guest's console.
#[derive(Debug)]
pub(super) struct Console {
    pipe: Receiver,
    tail: Tail,
}

impl Console {
    /// # Errors
    /// The error of `epoll_ctl`.
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            pipe: Receiver::from_owned_fd(pipe)?,
            tail: Tail::default(),
        })
    }

    /// Reads from the pipe whenever it is more than half full, so that the guest never blocks.
    /// Never returns: the end of the console has no meaning.
    ///
    /// *Why not read all output at once?* Reading makes the pipe writable. The host reports this to
    /// a user-mode kernel by an interrupt, at a time that depends on the host. A kernel before 6.12
    /// then reads its clock once more, and each reading by the kernel advances virtual time by 256
    /// ns (`timer_read`). The output of a guest without a failure fits into the pipe, so that this
    /// does not happen.
    pub(super) async fn drain<T>(&mut self) -> T {
        const PACE: Duration = Duration::from_millis(100);
        let size = fcntl(&self.pipe, FcntlArg::F_GETPIPE_SZ).unwrap_or(0);
        loop {
            sleep(PACE).await;
            if sys::unread(&self.pipe).is_ok_and(|unread| unread > size / 2) {
                self.read();
            }
        }
    }

    fn read(&mut self) {
        let there = sys::unread(&self.pipe).map_or(0, |unread| unread.max(0) as usize);
        self.tail.take(there, |buffer| self.pipe.try_read(buffer));
    }

    /// Reads the remaining output and returns the last lines.
    pub(super) fn tail(mut self) -> String {
        self.read();
        self.tail.text()
    }
}

/// The last lines of a text that arrives in parts.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<Vec<u8>>,
    unfinished: Vec<u8>,
}

impl Tail {
    /// Reads `there` bytes, or up to one buffer more. The bound is necessary: a guest can write as
    /// fast as the host reads, without end.
    fn take(&mut self, there: usize, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) {
        let mut buffer = [0; 4096];
        let mut taken = 0;
        while taken < there
            && let Ok(length @ 1..) = read(&mut buffer)
        {
            self.push(&buffer[..length]);
            taken += length;
        }
    }

    fn push(&mut self, piece: &[u8]) {
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            for part in line.chunks(LINE) {
                self.push_part(part);
            }
        }
    }

    /// Adds a part of one line.
    fn push_part(&mut self, part: &[u8]) {
        if self.unfinished.len() + part.len() > LINE {
            self.end_line();
        }
        self.unfinished.extend(part);
        if part.ends_with(b"\n") {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        self.lines.push_back(std::mem::take(&mut self.unfinished));
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    fn text(&self) -> String {
        let unfinished = (!self.unfinished.is_empty()).then_some(&self.unfinished);
        self.lines
            .iter()
            .chain(unfinished)
            .map(|line| String::from_utf8_lossy(line))
            .map(|line| line.trim_end().to_owned())
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_however_they_are_cut() {
        let text: String = (0..100).map(|line| format!("line {line}\r\n")).collect();
        let mut tail = Tail::default();
        for piece in (text + "half").as_bytes().chunks(7) {
            tail.push(piece);
        }
        let expected: Vec<String> = (20..100).map(|line| format!("line {line}")).collect();
        assert_eq!(tail.text(), expected.join("\n") + "\nhalf");
    }

    #[test]
    fn a_text_without_lines_is_kept_in_bounds() {
        let mut tail = Tail::default();
        for number in 0..2000 {
            let piece = [b"abcdefgh"[number % 8]; 1000];
            tail.push(&piece);
        }
        tail.push(b"the end");
        let text = tail.text();
        assert!(text.len() <= (LINES + 1) * (LINE + 1), "{}", text.len());
        assert!(text.len() > LINES * LINE / 2, "{}", text.len());
        assert!(text.ends_with("hthe end"), "{text}");
        assert!(text.lines().all(|line| line.len() <= LINE));
    }

    #[test]
    fn a_guest_that_never_ceases_to_write_is_not_read_for_ever() {
        let mut tail = Tail::default();
        let mut given = 0;
        tail.take(10_000, |buffer| {
            buffer.fill(b'.');
            given += buffer.len();
            assert!(given < 100_000, "it is read on");
            Ok(buffer.len())
        });
        assert!((10_000..10_000 + 4096).contains(&given), "{given}");
    }
}
