//! The frames that a guest sends to the host: a kind, a length, a checksum and a payload.
//!
//! The checksum is necessary because the channel is a serial line: a kernel message or another
//! process can also write to it, and the output ends at any byte if the guest ends.

use std::io;

use flate2::Crc;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The size of the header: kind, length, and checksum of the kind and the payload.
const HEADER: usize = 1 + 4 + 4;

/// The maximum length of a payload. No result is as large, so a greater length is an error.
const LARGEST: u32 = 1 << 30;

/// A frame from the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChannelFrame {
    /// The return value of the handler.
    Result(Vec<u8>),
    /// The handler panicked, with this message.
    Panic(String),
    /// The guest could not be set up, for this reason.
    Unready(String),
    /// The end: no frame follows.
    Done,
}

impl ChannelFrame {
    /// The bytes of the frame on the channel.
    pub(super) fn encode(&self) -> Vec<u8> {
        let (kind, bytes): (u8, &[u8]) = match self {
            ChannelFrame::Result(bytes) => (b'R', bytes),
            ChannelFrame::Panic(message) => (b'P', message.as_bytes()),
            ChannelFrame::Unready(message) => (b'U', message.as_bytes()),
            ChannelFrame::Done => (b'D', &[]),
        };
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut encoded = Vec::with_capacity(HEADER + bytes.len());
        encoded.push(kind);
        encoded.extend(length.to_le_bytes());
        encoded.extend(checksum(kind, bytes).to_le_bytes());
        encoded.extend(bytes);
        encoded
    }

    /// Reads the next frame; `None` if the channel ends before the first byte of a frame.
    ///
    /// # Errors
    /// `InvalidData` if the bytes are not a frame, `UnexpectedEof` if the channel ends within a
    /// frame.
    pub(super) async fn read(line: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut kind = [0];
        if line.read(&mut kind).await? == 0 {
            return Ok(None);
        }
        let kind = kind[0];
        let length = line.read_u32_le().await?;
        let expected = line.read_u32_le().await?;
        if length > LARGEST {
            return Err(garbled("the length of a frame is too large"));
        }
        let mut bytes = Vec::new();
        line.take(length.into()).read_to_end(&mut bytes).await?;
        if bytes.len() < length as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if checksum(kind, &bytes) != expected {
            return Err(garbled("the checksum of a frame is wrong"));
        }
        match kind {
            b'R' => Ok(Some(ChannelFrame::Result(bytes))),
            b'P' => Ok(Some(ChannelFrame::Panic(text(&bytes)))),
            b'U' => Ok(Some(ChannelFrame::Unready(text(&bytes)))),
            b'D' => Ok(Some(ChannelFrame::Done)),
            _ => Err(garbled("the kind of a frame is unknown")),
        }
    }
}

fn checksum(kind: u8, bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(&[kind]);
    crc.update(bytes);
    crc.sum()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn garbled(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut line: &[u8]) -> io::Result<Option<ChannelFrame>> {
        ChannelFrame::read(&mut line).await
    }

    #[tokio::test]
    async fn frames_come_back_as_they_were() {
        let frames = [
            ChannelFrame::Result(vec![0, 10, 13, 255]),
            ChannelFrame::Panic("oh".to_owned()),
            ChannelFrame::Unready("no".to_owned()),
            ChannelFrame::Done,
        ];
        let line: Vec<u8> = frames.iter().flat_map(ChannelFrame::encode).collect();
        let mut line = line.as_slice();
        for frame in frames {
            assert_eq!(ChannelFrame::read(&mut line).await.unwrap(), Some(frame));
        }
        assert_eq!(ChannelFrame::read(&mut line).await.unwrap(), None);
    }

    #[tokio::test]
    async fn no_changed_byte_goes_unnoticed() {
        let whole = ChannelFrame::Result(b"bytes".to_vec()).encode();
        for position in 0..whole.len() {
            let mut changed = whole.clone();
            changed[position] ^= 1;
            assert!(read(&changed).await.is_err(), "byte {position}");
        }
    }

    #[tokio::test]
    async fn half_a_frame_is_an_error() {
        let whole = ChannelFrame::Result(b"bytes".to_vec()).encode();
        for length in 1..whole.len() {
            let error = read(&whole[..length]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{length} bytes");
        }
    }
}
