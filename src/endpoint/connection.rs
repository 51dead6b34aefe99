//! One end of one connection: it writes when it is told to, and reads all the time, as a program
//! does that waits for its peer.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{Shutdown, setsockopt, sockopt};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::poll;
use super::witness::{EndWitness, WatchedSocket};
use crate::model::{Ended, ErrnoName, Linger, Moment, NextWrite, PollEvent};
use crate::wire::Write;

/// More bytes than a send buffer and a receive buffer have room for, whatever the case sets
/// (`scenario::memory` bounds what it may claim).
const ENDLESS: usize = 64 << 20;

/// What the program has learned from its socket.
#[derive(Debug, Clone, Default)]
struct Read {
    total: usize,
    /// The bytes of the latest exchange.
    recent: Vec<u8>,
    ended: Option<(Ended, Moment)>,
    /// What poll(2) reported before that was read.
    poll: Vec<PollEvent>,
    /// When the socket had an error that nobody has read yet, because the program does not read,
    /// and what poll(2) reported then.
    unread_error: Option<Seen>,
}

/// A moment, and what poll(2) reported then.
type Seen = (Moment, Vec<PollEvent>);

impl Read {
    /// The first call that returns the end of the connection decides.
    fn end(&mut self, ended: Ended, at: Moment, poll: Vec<PollEvent>) {
        if self.ended.is_none() {
            self.ended = Some((ended, at));
            self.poll = poll;
        }
    }

    fn is_over(&self) -> bool {
        self.ended.is_some() || self.unread_error.is_some()
    }
}

/// What the reader and the writer of an end share.
#[derive(Debug)]
struct Shared {
    stream: TcpStream,
    read: watch::Sender<Read>,
    /// Held from a system call that may return the socket's error until the error is noted. The
    /// kernel reports an error once: the next call reads end of file, which must not come
    /// first.
    call: Mutex<()>,
    watched: WatchedSocket,
}

impl Shared {
    /// A system call of the program that may return the socket's error, which is then the end of
    /// the connection, as is a read of no bytes. `unread`: the error is known to be there since
    /// then. `waiting`: the program has waited in this call since then, so that the end counts from
    /// when the kernel reported it, however late this task is.
    fn call(
        &self,
        unread: Option<Seen>,
        waiting: Option<Moment>,
        call: impl FnOnce(&TcpStream) -> nix::Result<usize>,
    ) -> nix::Result<usize> {
        let _call = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        // The moment at which the kernel reported readiness, before anything is asked of the
        // socket: to read an error is to clear it.
        let (at, poll) = unread.unwrap_or_else(|| (Moment::now(), poll::events(&self.stream)));
        let result = call(&self.stream);
        let end = |ended, poll| {
            let at = waiting.map_or(at, |since| self.reported(ended, since, at));
            self.read.send_modify(|read| read.end(ended, at, poll));
        };
        match result {
            Ok(0) => end(Ended::EndOfFile, poll),
            Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
            // The program itself has said that it writes nothing more.
            Err(Errno::EPIPE) if !poll.contains(&PollEvent::PollHup) => {}
            Err(errno) => end(Ended::Error(ErrnoName::from_raw(errno as i32)), poll),
        }
        result
    }

    /// When the kernel reported the end to a program that waits for it since then, and that is told
    /// of it now.
    fn reported(&self, ended: Ended, since: Moment, now: Moment) -> Moment {
        let reported = self.watched.reported(ended);
        reported.map_or(now, |at| at.max(since).min(now))
    }
}

/// One end of one connection. Dropping it closes the socket.
#[derive(Debug)]
pub struct Endpoint {
    /// The client's port, which names the connection at both ends.
    pub connection: u16,
    socket: Arc<Shared>,
    read: watch::Receiver<Read>,
    /// One task, which ends with this. It shares the socket.
    reader: JoinSet<()>,
    /// Since when the reader is to read; `None` while it is not to.
    reads: watch::Sender<Option<Moment>>,
    /// What was written, in order.
    pub writes: Vec<Write>,
}

impl Endpoint {
    /// Starts to read.
    #[must_use]
    pub fn new(stream: TcpStream, connection: u16, witness: &EndWitness) -> Self {
        let socket = Arc::new(Shared {
            watched: witness.watch(&stream),
            stream,
            read: watch::Sender::new(Read::default()),
            call: Mutex::default(),
        });
        let (reads, may_read) = watch::channel(Some(Moment::now()));
        let mut reader = JoinSet::new();
        reader.spawn(read_all(Arc::clone(&socket), may_read));
        Self {
            connection,
            read: socket.read.subscribe(),
            socket,
            reader,
            reads,
            writes: Vec::new(),
        }
    }

    /// Writes everything, waiting for room where there is none.
    ///
    /// # Errors
    /// What `write` returns.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.socket.stream.writable().await?;
            let socket = Arc::clone(&self.socket);
            let write = || Ok(self.write_some(rest)?);
            match socket.stream.try_io(Interest::WRITABLE, write) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes what the kernel has room for now, and waits for nothing; how many bytes it took.
    ///
    /// # Errors
    /// What `write` returns.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.write_some(rest) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(bytes.len() - rest.len())
    }

    fn write_some(&mut self, bytes: &[u8]) -> nix::Result<usize> {
        let at = Moment::now();
        let count = self
            .socket
            .call(None, None, |stream| nix::unistd::write(stream, bytes))?;
        let end = self.written() + count;
        self.writes.push(Write { at, end });
        Ok(count)
    }

    /// Writes until the kernel takes nothing more for so long: the peer's window is full, and the
    /// send buffer.
    ///
    /// # Errors
    /// What `write` returns, or that the kernel has taken more than both ends have room for.
    pub async fn fill(&mut self, patience: Duration) -> io::Result<()> {
        let bytes = vec![b'.'; 16 * 1024];
        for _ in 0..ENDLESS / bytes.len() {
            match tokio::time::timeout(patience, self.write(&bytes)).await {
                Ok(written) => written?,
                Err(_) => return Ok(()),
            }
        }
        let mebibytes = ENDLESS >> 20;
        Err(io::Error::other(format!(
            "the kernel took {mebibytes} MiB: the peer reads all that is written"
        )))
    }

    /// One more write, of one byte, at once, after everything that is watched: what it returns is
    /// no end, unless it takes the error that nobody has read.
    #[must_use]
    pub(crate) fn write_once(&self) -> NextWrite {
        let write = |stream: &TcpStream| nix::unistd::write(stream, b"!");
        let unread = self.read.borrow().unread_error.clone();
        let written = match unread {
            Some(unread) => self.socket.call(Some(unread), None, write),
            None => write(&self.socket.stream),
        };
        match written {
            Ok(_) => NextWrite::Succeeds,
            Err(errno) => NextWrite::Fails(ErrnoName::from_raw(errno as i32)),
        }
    }

    /// Reads on, or leaves what comes to the kernel.
    pub(crate) fn read_on(&self, on: bool) {
        if on {
            // The program is about to read it.
            self.socket
                .read
                .send_modify(|read| read.unread_error = None);
        }
        self.reads.send_modify(|since| {
            *since = match since {
                Some(since) if on => Some(*since),
                _ => on.then(Moment::now),
            };
        });
    }

    /// Since when the program has read; `None` where it does not.
    #[must_use]
    pub(crate) fn reads_since(&self) -> Option<Moment> {
        *self.reads.borrow()
    }

    /// What poll(2) told as it ended.
    #[must_use]
    pub(crate) fn poll_events(&self) -> Vec<PollEvent> {
        self.read.borrow().poll.clone()
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// What shutdown(2) returns.
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        Ok(nix::sys::socket::shutdown(
            self.socket.stream.as_raw_fd(),
            Shutdown::Write,
        )?)
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> usize {
        self.writes.last().map_or(0, |write| write.end)
    }

    /// Waits until everything that `peer` has written is here, and returns the last `count` bytes
    /// of it.
    ///
    /// # Errors
    /// The error or end of file that came first.
    pub async fn received_from(&mut self, peer: &Self, count: usize) -> io::Result<Vec<u8>> {
        let total = peer.written();
        let outcome = self
            .read
            .wait_for(|read| read.total >= total || read.ended.is_some())
            .await;
        let read = outcome.map_err(io::Error::other)?;
        if read.total < total {
            return Err(match read.ended {
                Some((Ended::Error(errno), _)) => errno.into(),
                Some((Ended::EndOfFile, _)) | None => io::ErrorKind::UnexpectedEof.into(),
            });
        }
        Ok(read.recent[read.recent.len().saturating_sub(count)..].to_vec())
    }

    /// How the connection ended, and when the kernel reported it, as far as the program has read
    /// it.
    #[must_use]
    pub fn ended(&self) -> Option<(Ended, Moment)> {
        self.read.borrow().ended
    }

    /// Whether the connection has ended, even if the program has not read it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.read.borrow().is_over()
    }

    /// Since when the connection has ended, even if the program has not read it.
    #[must_use]
    pub fn over_since(&self) -> Option<Moment> {
        let read = self.read.borrow();
        let unread = read.unread_error.as_ref().map(|(at, _)| *at);
        read.ended.map(|(_, at)| at).or(unread)
    }

    /// Whether the connection has ended with an error. After an end of file, the program may still
    /// write.
    #[must_use]
    pub(crate) fn is_broken(&self) -> bool {
        let read = self.read.borrow();
        let error = |(ended, _)| matches!(ended, Ended::Error(_));
        read.unread_error.is_some() || read.ended.is_some_and(error)
    }

    /// Waits for the end, read or not.
    pub async fn end(&self) {
        let mut read = self.read.clone();
        // The sender is in this end's own hands.
        read.wait_for(Read::is_over).await.ok();
    }

    /// Reads the error of a connection that has ended while its program did not read, as of the
    /// moment at which it ended. This is the last that is done with the socket, because the
    /// kernel reports an error once.
    pub(crate) fn read_error(&self) {
        let unread = self.read.borrow().unread_error.clone();
        if unread.is_none() || self.ended().is_some() {
            return;
        }
        let read = |stream: &TcpStream| {
            match nix::sys::socket::getsockopt(stream, sockopt::SocketError)? {
                // There was a message in the error queue alone (IP_RECVERR), which ends nothing.
                0 => Err(Errno::EAGAIN),
                error => Err(Errno::from_raw(error)),
            }
        };
        // The error is noted by the call.
        self.socket.call(unread, None, read).ok();
    }

    /// Forgets the connection as a machine does that loses power: no FIN, no RST. Under
    /// `TCP_REPAIR` closing a socket sends nothing (`__tcp_close`).
    ///
    /// # Errors
    /// What `setsockopt(TCP_REPAIR)` returns.
    pub(crate) async fn forget(self) -> io::Result<()> {
        setsockopt(&self.socket.stream, sockopt::TcpRepair, &1)?;
        self.close().await;
        Ok(())
    }

    /// Closes the socket as programs do: with a FIN, or, with a linger of zero, as [`Self::close`].
    /// `forgotten`: the time until the case has ended. An orphan whose FIN nobody acknowledges
    /// would keep its namespace for minutes after a harness that is killed
    /// (`tcp_orphan_retries`), so from then on the kernel gives it up.
    ///
    /// # Errors
    /// What the socket's options return.
    pub(crate) async fn close_as_set(
        self,
        linger: Option<Linger>,
        forgotten: Option<Duration>,
    ) -> io::Result<()> {
        let linger = linger.map(Linger::duration);
        let socket = SockRef::from(&self.socket.stream);
        socket.set_linger(linger)?;
        let own = socket.tcp_user_timeout()?.filter(|own| !own.is_zero());
        if let (Some(forgotten), None) = (forgotten, own) {
            socket.set_tcp_user_timeout(Some(forgotten + linger.unwrap_or_default()))?;
        }
        if linger.is_none_or(|time| time.is_zero()) {
            self.close().await;
            return Ok(());
        }
        self.close_and_wait().await
    }

    /// close(2) sleeps while it lingers, on a socket that does not block as well (`inet_release`).
    /// It does so on a thread that nobody waits for when the program ends.
    async fn close_and_wait(mut self) -> io::Result<()> {
        self.reader.shutdown().await;
        let Some(socket) = Arc::into_inner(self.socket) else {
            return Err(io::Error::other("the socket is still in use"));
        };
        let stream = socket.stream.into_std()?;
        let (done, closed) = oneshot::channel();
        std::thread::Builder::new().spawn(move || {
            drop(stream);
            // Nobody waits any more only when the case is over.
            done.send(()).ok();
        })?;
        closed.await.map_err(io::Error::other)
    }

    /// Closes the socket, with a RST, for certain by the time that this returns: the reader shares
    /// it.
    pub(crate) async fn close(mut self) {
        self.reader.shutdown().await;
    }
}

/// An error is not always readable: with `IP_RECVERR`, one that does not end the connection is not.
const HEARD: Interest = Interest::READABLE.add(Interest::ERROR);

/// How much of what came is kept: the largest payload of an exchange.
const KEPT: usize = 64 * 1024;

async fn read_all(socket: Arc<Shared>, mut may_read: watch::Receiver<Option<Moment>>) {
    let mut buffer = vec![0; 4096];
    loop {
        if may_read.borrow_and_update().is_none() {
            tokio::select! {
                changed = may_read.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                () = unread_error(&socket) => {}
            }
            // Nothing more comes of the socket until the program reads.
            if may_read.wait_for(Option::is_some).await.is_err() {
                return;
            }
        }
        let ready = tokio::select! {
            ready = socket.stream.ready(HEARD) => ready,
            // It may be that it is not to read any more.
            changed = may_read.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok(ready) = ready else {
            return;
        };
        let Some(since) = *may_read.borrow() else {
            continue;
        };
        // One at a time: of several together, try_io knows no readiness.
        let heard = if ready.is_error() {
            Interest::ERROR
        } else {
            Interest::READABLE
        };
        let read = |stream: &TcpStream| nix::unistd::read(stream, &mut buffer);
        let read_now = || Ok(socket.call(None, Some(since), read)?);
        match socket.stream.try_io(heard, read_now) {
            Ok(0) => return,
            Ok(count) => socket.read.send_modify(|read| {
                read.total += count;
                read.recent.extend_from_slice(&buffer[..count]);
                let excess = read.recent.len().saturating_sub(KEPT);
                read.recent.drain(..excess);
            }),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// Waits until the socket of a program that does not read has an error, and notes when. The error
/// stays where it is.
async fn unread_error(socket: &Shared) {
    loop {
        if socket.stream.ready(Interest::ERROR).await.is_err() {
            return;
        }
        // Within the call, which clears the readiness that it was given and none that has come
        // since.
        let seen = socket.stream.try_io(Interest::ERROR, || {
            let seen = (Moment::now(), poll::events(&socket.stream));
            if seen.1.contains(&PollEvent::PollErr) {
                Ok(seen)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            }
        });
        if let Ok(seen) = seen {
            let note = |read: &mut Read| read.unread_error = Some(seen);
            socket.read.send_modify(note);
            return;
        }
    }
}
