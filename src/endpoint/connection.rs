//! One end of one connection: it writes when it is told to, and reads all the time, as a program does that waits for its peer.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{Shutdown, setsockopt, sockopt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::poll::{self, PollEvent};
use crate::clock::Moment;
use crate::errno::ErrnoName;
use crate::scenario::limits::Linger;
use crate::scenario::model::NextWrite;
use crate::wire::Write;

/// More bytes than a send buffer and a receive buffer have room for: 4 and 32 MiB at most
/// (`net.ipv4.tcp_wmem`, `net.ipv4.tcp_rmem`).
const ENDLESS: usize = 64 << 20;

/// How a connection ended for the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// `read` returned this error.
    Error(ErrnoName),
    /// `read` returned zero: the peer closed.
    EndOfFile,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(errno) => errno.fmt(f),
            Self::EndOfFile => f.pad("end of file"),
        }
    }
}

/// What the reader knows.
#[derive(Debug, Clone, Default)]
struct Read {
    total: usize,
    /// The bytes of the latest exchange.
    recent: Vec<u8>,
    ended: Option<(Ended, Moment)>,
    /// What poll(2) told before that was read.
    poll: Vec<PollEvent>,
}

/// One end of one connection. Dropping it closes the socket.
#[derive(Debug)]
pub struct Endpoint {
    /// The client's port, which names the connection at both ends.
    pub connection: u16,
    stream: Arc<TcpStream>,
    read: watch::Receiver<Read>,
    /// One task, which ends with this. It shares the stream.
    reader: JoinSet<()>,
    /// Whether the reader is to read.
    reads: watch::Sender<bool>,
    /// What was written, in order.
    pub writes: Vec<Write>,
}

impl Endpoint {
    /// Starts to read.
    #[must_use]
    pub fn new(stream: TcpStream, connection: u16) -> Self {
        let stream = Arc::new(stream);
        let (sender, read) = watch::channel(Read::default());
        let (reads, may_read) = watch::channel(true);
        let mut reader = JoinSet::new();
        reader.spawn(read_all(Arc::clone(&stream), sender, may_read));
        Self {
            connection,
            stream,
            read,
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
            self.stream.writable().await?;
            let at = Moment::now();
            match self.stream.try_write(rest) {
                Ok(count) => {
                    let end = self.written() + count;
                    self.writes.push(Write { at, end });
                    rest = &rest[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes until the kernel takes nothing more for so long: the peer's window is full, and the send buffer.
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

    /// One more write, of one byte, at once.
    #[must_use]
    pub fn write_once(&self) -> NextWrite {
        match nix::unistd::write(&self.stream, b"!") {
            Ok(_) => NextWrite::Succeeds,
            Err(errno) => NextWrite::Fails(ErrnoName::from_raw(errno as i32)),
        }
    }

    /// Reads on, or leaves what comes to the kernel.
    pub fn read_on(&self, on: bool) {
        self.reads.send_replace(on);
    }

    /// What poll(2) told as it ended.
    #[must_use]
    pub fn poll_events(&self) -> Vec<PollEvent> {
        self.read.borrow().poll.clone()
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// What shutdown(2) returns.
    pub fn shut_down(&self) -> io::Result<()> {
        Ok(nix::sys::socket::shutdown(
            self.stream.as_raw_fd(),
            Shutdown::Write,
        )?)
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> usize {
        self.writes.last().map_or(0, |write| write.end)
    }

    /// Waits until everything that `peer` has written is here, and returns the last `count` bytes of it.
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

    /// How the connection ended, and when the kernel reported it, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<(Ended, Moment)> {
        self.read.borrow().ended
    }

    /// Waits for the end.
    pub async fn end(&self) -> Option<(Ended, Moment)> {
        let mut read = self.read.clone();
        read.wait_for(|read| read.ended.is_some()).await.ok()?.ended
    }

    /// Forgets the connection as a machine does that loses power: no FIN, no RST. Under `TCP_REPAIR` closing a socket sends nothing
    /// (`__tcp_close`).
    ///
    /// # Errors
    /// What `setsockopt(TCP_REPAIR)` returns.
    pub async fn forget(self) -> io::Result<()> {
        setsockopt(&self.stream, sockopt::TcpRepair, &1)?;
        self.close().await;
        Ok(())
    }

    /// Closes the socket as programs do: with a FIN, or, with a linger of zero, as [`Self::close`].
    ///
    /// # Errors
    /// What the socket's options return.
    pub async fn close_as_set(self, linger: Option<Linger>) -> io::Result<()> {
        let linger = linger.map(Linger::duration);
        let socket = SockRef::from(&*self.stream);
        socket.set_linger(linger)?;
        // An orphan whose FIN nobody acknowledges would keep its namespace for minutes (tcp_orphan_retries).
        if socket
            .tcp_user_timeout()?
            .is_none_or(|timeout| timeout.is_zero())
        {
            socket.set_tcp_user_timeout(Some(ORPHAN + linger.unwrap_or_default()))?;
        }
        if linger.is_none_or(|time| time.is_zero()) {
            self.close().await;
            return Ok(());
        }
        self.close_and_wait().await
    }

    /// close(2) sleeps while it lingers, on a socket that does not block as well (`inet_release`). It does so on a thread that nobody waits
    /// for when the program ends.
    async fn close_and_wait(mut self) -> io::Result<()> {
        self.reader.shutdown().await;
        let Some(stream) = Arc::into_inner(self.stream) else {
            return Err(io::Error::other("the socket is still in use"));
        };
        let stream = stream.into_std()?;
        let (done, closed) = oneshot::channel();
        std::thread::Builder::new().spawn(move || {
            drop(stream);
            // Nobody waits any more only when the case is over.
            done.send(()).ok();
        })?;
        closed.await.map_err(io::Error::other)
    }

    /// Closes the socket, with a RST, for certain by the time that this returns: the reader shares it.
    pub async fn close(mut self) {
        self.reader.shutdown().await;
    }
}

/// How long a socket may live that nobody has any more.
const ORPHAN: Duration = Duration::from_secs(10);

/// An error is not always readable: with `IP_RECVERR`, one that does not end the connection is not.
const HEARD: Interest = Interest::READABLE.add(Interest::ERROR);

/// How much of what came is kept: the largest payload of an exchange.
const KEPT: usize = 64 * 1024;

async fn read_all(
    stream: Arc<TcpStream>,
    read: watch::Sender<Read>,
    mut may_read: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 4096];
    loop {
        if may_read.wait_for(|may_read| *may_read).await.is_err() {
            return;
        }
        let Ok(ready) = stream.ready(HEARD).await else {
            return;
        };
        if !*may_read.borrow() {
            continue;
        }
        // The moment at which the kernel reported readiness, before anything is asked of the socket.
        let at = Moment::now();
        // To read an error is to clear it.
        let poll = poll::events(&*stream);
        // One at a time: of several together, try_io knows no readiness.
        let heard = if ready.is_error() {
            Interest::ERROR
        } else {
            Interest::READABLE
        };
        let read_now = || Ok(nix::unistd::read(&*stream, &mut buffer)?);
        let ended = match stream.try_io(heard, read_now) {
            Ok(0) => Ended::EndOfFile,
            Ok(count) => {
                read.send_modify(|read| {
                    read.total += count;
                    read.recent.extend_from_slice(&buffer[..count]);
                    let excess = read.recent.len().saturating_sub(KEPT);
                    read.recent.drain(..excess);
                });
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => match error.raw_os_error() {
                Some(raw) => Ended::Error(ErrnoName::from_raw(raw)),
                None => return,
            },
        };
        read.send_modify(|read| {
            read.ended = Some((ended, at));
            read.poll = poll;
        });
        return;
    }
}
