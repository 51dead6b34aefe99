//! One end of one connection: it writes when it is told to, and reads all the time, as a program does that waits for its peer.

use std::io;
use std::sync::Arc;

use nix::sys::socket::{setsockopt, sockopt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::Moment;
use crate::errno::ErrnoName;
use crate::wire::Write;

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
}

/// One end of one connection. Dropping it closes the socket.
#[derive(Debug)]
pub struct Endpoint {
    /// The client's port, which names the connection at both ends.
    pub connection: u16,
    stream: Arc<TcpStream>,
    read: watch::Receiver<Read>,
    reader: JoinHandle<()>,
    /// What was written, in order.
    pub writes: Vec<Write>,
}

impl Endpoint {
    /// Starts to read.
    #[must_use]
    pub fn new(stream: TcpStream, connection: u16) -> Self {
        let stream = Arc::new(stream);
        let (sender, read) = watch::channel(Read::default());
        let reader = tokio::spawn(read_all(Arc::clone(&stream), sender));
        Self {
            connection,
            stream,
            read,
            reader,
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

    /// Closes the socket, for certain by the time that this returns: the reader shares it.
    pub async fn close(mut self) {
        self.reader.abort();
        (&mut self.reader).await.ok();
    }
}

/// The reader shares the stream: the socket is closed when both are gone.
impl Drop for Endpoint {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// How much of what came is kept: the largest payload of an exchange.
const KEPT: usize = 64 * 1024;

async fn read_all(stream: Arc<TcpStream>, read: watch::Sender<Read>) {
    let mut buffer = vec![0; 4096];
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        // The moment at which the kernel reported readiness, before anything is asked of the socket.
        let at = Moment::now();
        let ended = match stream.try_read(&mut buffer) {
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
        read.send_modify(|read| read.ended = Some((ended, at)));
        return;
    }
}
