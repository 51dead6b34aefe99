//! One end of one connection. It writes on request and reads continuously, like a program that
//! waits for its peer.

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

/// The limit of [`Endpoint::fill`], in bytes. It is more than a send buffer and a receive buffer
/// can hold, whatever the case sets (`scenario::memory` bounds the buffers of a case).
const FILL_LIMIT: usize = 64 << 20;

/// What the program has read from its socket.
#[derive(Debug, Clone, Default)]
struct Read {
    total: usize,
    /// The latest bytes, at most [`KEPT`].
    recent: Vec<u8>,
    ended: Option<(Ended, Moment)>,
    /// The events that poll(2) reported right before the end was read.
    poll: Vec<PollEvent>,
    /// The time at which the socket got an error that is still unread because the program does not
    /// read, and the events that poll(2) reported then.
    unread_error: Option<Seen>,
}

/// A moment, and the events that poll(2) reported then.
type Seen = (Moment, Vec<PollEvent>);

impl Read {
    /// Records the end of the connection. Only the first call has an effect.
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

/// The state that the reader task and the writer of an end share.
#[derive(Debug)]
struct Shared {
    stream: TcpStream,
    read: watch::Sender<Read>,
    /// Held from a system call that may return the socket's error until the error is recorded. The
    /// kernel reports an error only once, and the next read returns end of file, which must not be
    /// recorded first.
    call: Mutex<()>,
    watched: WatchedSocket,
}

impl Shared {
    /// Makes a system call of the program that may return the socket's error. The error, or a read
    /// of no bytes, is recorded as the end of the connection. `unread`: the time since which the
    /// error is known to be pending, with the events of poll(2). `waiting`: the time since which
    /// the program has waited in this call. With it, the end is recorded with the time at which the
    /// kernel reported it, even if this task runs late.
    fn call(
        &self,
        unread: Option<Seen>,
        waiting: Option<Moment>,
        call: impl FnOnce(&TcpStream) -> nix::Result<usize>,
    ) -> nix::Result<usize> {
        let _call = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        // The time and the events are taken before the call, because a call that reads an error
        // clears it.
        let (at, poll) = unread.unwrap_or_else(|| (Moment::now(), poll::events(&self.stream)));
        let result = call(&self.stream);
        let end = |ended, poll| {
            let at = waiting.map_or(at, |since| self.reported(ended, since, at));
            self.read.send_modify(|read| read.end(ended, at, poll));
        };
        match result {
            Ok(0) => end(Ended::EndOfFile, poll),
            Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
            // EPIPE without POLLHUP: the program itself has shut down its sending direction.
            Err(Errno::EPIPE) if !poll.contains(&PollEvent::PollHup) => {}
            Err(errno) => end(Ended::Error(ErrnoName::from_raw(errno as i32)), poll),
        }
        result
    }

    /// Returns the time at which the kernel reported the end to a program that has waited since
    /// `since`, limited to the range from `since` to `now`. It is `now` if the witness has not seen
    /// the end.
    fn reported(&self, ended: Ended, since: Moment, now: Moment) -> Moment {
        let reported = self.watched.reported(ended);
        reported.map_or(now, |at| at.max(since).min(now))
    }
}

/// One end of one connection. Dropping it closes the socket.
#[derive(Debug)]
pub struct Endpoint {
    /// The client's port, which identifies the connection at both ends.
    pub(crate) connection: u16,
    socket: Arc<Shared>,
    read: watch::Receiver<Read>,
    /// The reader task, which shares the socket. It is aborted on drop.
    reader: JoinSet<()>,
    /// The time since which the reader reads; `None` while it does not read.
    reads: watch::Sender<Option<Moment>>,
    /// The writes, in order.
    pub(crate) writes: Vec<Write>,
}

impl Endpoint {
    /// Creates the endpoint and starts to read.
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

    /// Writes all bytes. Waits while the send buffer is full.
    ///
    /// # Errors
    /// The error of `write`.
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

    /// Writes as many bytes as the send buffer has room for, without waiting. Returns the number of
    /// bytes written.
    ///
    /// # Errors
    /// The error of `write`.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
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

    /// Writes until the kernel accepts no more bytes for the time `patience`: the peer's window and
    /// the send buffer are full.
    ///
    /// # Errors
    /// The error of `write`, or an error if the kernel has accepted more than both ends have room
    /// for.
    pub(crate) async fn fill(&mut self, patience: Duration) -> io::Result<()> {
        let bytes = vec![b'.'; 16 * 1024];
        for _ in 0..FILL_LIMIT / bytes.len() {
            match tokio::time::timeout(patience, self.write(&bytes)).await {
                Ok(written) => written?,
                Err(_) => return Ok(()),
            }
        }
        let mebibytes = FILL_LIMIT >> 20;
        Err(io::Error::other(format!(
            "the kernel took {mebibytes} MiB: the peer reads all that is written"
        )))
    }

    /// Writes one more byte at once, after the observation of this end. An error of this write is
    /// not recorded as the end of the connection, unless it is the unread error.
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

    /// Resumes or stops reading. While it is stopped, received data stays in the kernel.
    pub(crate) fn read_on(&self, on: bool) {
        if on {
            // The program reads the error from here on.
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

    /// Returns the time since which the program reads, or `None` if it does not read.
    #[must_use]
    pub(crate) fn reads_since(&self) -> Option<Moment> {
        *self.reads.borrow()
    }

    /// Returns the events that poll(2) reported right before the end was read.
    #[must_use]
    pub(crate) fn poll_events(&self) -> Vec<PollEvent> {
        self.read.borrow().poll.clone()
    }

    /// Shuts down the sending direction, which sends a FIN.
    ///
    /// # Errors
    /// The error of shutdown(2).
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        Ok(nix::sys::socket::shutdown(
            self.socket.stream.as_raw_fd(),
            Shutdown::Write,
        )?)
    }

    /// Returns the number of bytes written so far.
    #[must_use]
    pub(crate) fn written(&self) -> usize {
        self.writes.last().map_or(0, |write| write.end)
    }

    /// Waits until all bytes that `peer` has written are received, and returns the last `count` of
    /// them.
    ///
    /// # Errors
    /// The error or end of file, if it came first.
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

    /// Returns how the connection ended, and when the kernel reported that; `None` if the program
    /// has not read an end.
    #[must_use]
    pub(crate) fn ended(&self) -> Option<(Ended, Moment)> {
        self.read.borrow().ended
    }

    /// Returns whether the connection has ended, even if the program has not read the end.
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        self.read.borrow().is_over()
    }

    /// Returns when the connection ended, even if the program has not read the end.
    #[must_use]
    pub fn over_since(&self) -> Option<Moment> {
        let read = self.read.borrow();
        let unread = read.unread_error.as_ref().map(|(at, _)| *at);
        read.ended.map(|(_, at)| at).or(unread)
    }

    /// Returns whether the connection has ended with an error. After an end of file, the program
    /// may still write.
    #[must_use]
    pub(crate) fn is_broken(&self) -> bool {
        let read = self.read.borrow();
        let error = |(ended, _)| matches!(ended, Ended::Error(_));
        read.unread_error.is_some() || read.ended.is_some_and(error)
    }

    /// Waits until the connection has ended, even if the program has not read the end.
    pub async fn end(&self) {
        let mut read = self.read.clone();
        // The sender cannot be dropped meanwhile, because this end owns it.
        read.wait_for(Read::is_over).await.ok();
    }

    /// Reads the error of a connection that ended while the program did not read, and records it
    /// with the time at which it occurred. This must be the last use of the socket, because the
    /// kernel reports an error only once.
    pub(crate) fn read_error(&self) {
        let unread = self.read.borrow().unread_error.clone();
        if unread.is_none() || self.ended().is_some() {
            return;
        }
        let read = |stream: &TcpStream| {
            match nix::sys::socket::getsockopt(stream, sockopt::SocketError)? {
                // The error queue has a message, but the socket has no error (IP_RECVERR). The
                // connection has not ended.
                0 => Err(Errno::EAGAIN),
                error => Err(Errno::from_raw(error)),
            }
        };
        // `call` records the error.
        self.socket.call(unread, None, read).ok();
    }

    /// Closes the socket without a FIN or a RST, like a machine that loses power. Under
    /// `TCP_REPAIR`, closing a socket sends nothing (`__tcp_close`).
    ///
    /// # Errors
    /// The error of `setsockopt(TCP_REPAIR)`.
    pub(crate) async fn forget(self) -> io::Result<()> {
        setsockopt(&self.socket.stream, sockopt::TcpRepair, &1)?;
        self.close().await;
        Ok(())
    }

    /// Closes the socket like a program: with a FIN, or with a RST if the linger time is zero, as
    /// [`Self::close`] does. `forgotten`: the time until the end of the case. If the peer does not
    /// acknowledge the FIN, the orphaned socket would keep its namespace for minutes after the
    /// harness is killed (`tcp_orphan_retries`). Therefore the kernel drops the socket after this
    /// time plus the linger time (`TCP_USER_TIMEOUT`), unless the program has set that option
    /// itself.
    ///
    /// # Errors
    /// The error of setting a socket option, of starting the closing thread, or that the socket is
    /// still in use.
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

    /// Closes the socket and waits until close(2) returns. close(2) sleeps while it lingers, even
    /// on a non-blocking socket (`inet_release`), so it runs on a separate thread. The program does
    /// not wait for that thread when it ends.
    async fn close_and_wait(mut self) -> io::Result<()> {
        self.reader.shutdown().await;
        let Some(socket) = Arc::into_inner(self.socket) else {
            return Err(io::Error::other("the socket is still in use"));
        };
        let stream = socket.stream.into_std()?;
        let (done, closed) = oneshot::channel();
        std::thread::Builder::new().spawn(move || {
            drop(stream);
            // The receiver is dropped only if the case is over.
            done.send(()).ok();
        })?;
        closed.await.map_err(io::Error::other)
    }

    /// Closes the socket, with a RST unless another linger time was set. The reader shares the
    /// socket, so this waits for the reader to end: the socket is closed when this returns.
    pub(crate) async fn close(mut self) {
        self.reader.shutdown().await;
    }
}

/// The readiness that the reader waits for. An error does not always make the socket readable: with
/// `IP_RECVERR`, an error that does not end the connection does not.
const READINESS: Interest = Interest::READABLE.add(Interest::ERROR);

/// The number of received bytes that are kept: the largest payload of an exchange.
const KEPT: usize = 64 * 1024;

/// The reader task: reads while the program is to read, and otherwise waits for an error of the
/// socket.
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
            // The error is recorded. There is nothing more to observe until the program reads.
            if may_read.wait_for(Option::is_some).await.is_err() {
                return;
            }
        }
        let ready = tokio::select! {
            ready = socket.stream.ready(READINESS) => ready,
            // Reading may have been stopped.
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
        // Only one interest at a time: for a combination of several, try_io finds no readiness.
        let interest = if ready.is_error() {
            Interest::ERROR
        } else {
            Interest::READABLE
        };
        let read = |stream: &TcpStream| nix::unistd::read(stream, &mut buffer);
        let read_now = || Ok(socket.call(None, Some(since), read)?);
        match socket.stream.try_io(interest, read_now) {
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

/// Waits until the socket of a program that does not read has an error, and records the time. The
/// error stays in the socket.
async fn unread_error(socket: &Shared) {
    loop {
        if socket.stream.ready(Interest::ERROR).await.is_err() {
            return;
        }
        // The check runs inside try_io, which clears only the readiness that it was called with,
        // and none that has come since.
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
