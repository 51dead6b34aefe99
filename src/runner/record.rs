//! The recorder of one host: records every frame at its interface, and samples its socket after
//! each event.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::blackout::Blackout;
use crate::evidence::{BoundedLog, Excerpt, SocketSample};
use crate::lab::capture::Capture;
use crate::lab::diag::Diag;
use crate::lab::drops::DropMonitor;
use crate::model::{ALLOWANCE, End, Moment};
use crate::outcome::{LateLook, Recording};
use crate::wire::{Direction, Frame, IcmpMessage, Neighbours, Packet, Track};

/// The captured tracks, by connection (the client's port).
pub(super) type Tracks = BTreeMap<u16, Track>;

/// The number of frames kept from the start of a case, and the same number from its end: at most
/// half a megabyte for one host of a case.
const FRAMES: usize = 2000;
/// The number of socket samples kept from the start of a case, and the same number from its end.
const SAMPLES: usize = 500;
/// The maximum number of late looks that are noted. One is enough to prevent a verdict.
const LATE_LOOKS: usize = 100;

/// The recorder of one host.
pub(super) struct Recorder {
    pub(super) end: End,
    pub(super) capture: Capture,
    pub(super) diag: Diag,
    /// The connection that `diag` samples.
    pub(super) connection: u16,
    /// Publishes the tracks of the captured frames.
    pub(super) tracks: watch::Sender<Tracks>,
    pub(super) blackout: Blackout,
    /// The address of the host.
    pub(super) address: IpAddr,
    /// The intervals in which the host did not have its address.
    pub(super) unaddressed: Blackout,
    /// Signals that a step has acted on the connection or its network.
    pub(super) nudge: Arc<Notify>,
    /// Signals the end of the case.
    pub(super) stop: Arc<Notify>,
    /// The maximum interval between two samples of the socket.
    pub(super) rate: Duration,
    pub(super) frames: BoundedLog<Frame>,
    pub(super) samples: BoundedLog<SocketSample>,
    pub(super) neighbours: Neighbours,
    pub(super) recording: Recording,
    /// The monitor of dropped packets, if there is one.
    pub(super) drops: Option<Arc<DropMonitor>>,
}

/// The recording of one host.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) frames: Excerpt<Frame>,
    pub(super) samples: Excerpt<SocketSample>,
    pub(super) neighbours: Neighbours,
    pub(super) recording: Recording,
}

impl Recorder {
    pub(super) fn frames() -> BoundedLog<Frame> {
        BoundedLog::new(FRAMES)
    }

    pub(super) fn samples() -> BoundedLog<SocketSample> {
        BoundedLog::new(SAMPLES)
    }

    /// Records until it is stopped, and then reads the frames that the kernel still holds. An error
    /// that ends the recording early is noted in the result: missing evidence does not prevent a
    /// verdict, unless the file has an expectation of the missing part.
    pub(super) async fn record(mut self) -> Recorded {
        if let Err(error) = self.follow().await {
            self.recording.broken_off = Some(error.to_string());
        }
        Recorded {
            frames: self.frames.finish(),
            samples: self.samples.finish(),
            neighbours: self.neighbours,
            recording: self.recording,
        }
    }

    async fn follow(&mut self) -> io::Result<()> {
        let (nudge, stop) = (Arc::clone(&self.nudge), Arc::clone(&self.stop));
        loop {
            let mut first = None;
            tokio::select! {
                biased;
                () = stop.notified() => break,
                frames = self.capture.next() => first = self.take(frames?),
                () = nudge.notified() => {}
                () = tokio::time::sleep(self.rate) => {}
            }
            let looked = self.look()?;
            if let Some(drops) = &self.drops {
                drops.drain();
            }
            let by = first.map_or(Duration::ZERO, |first| looked.since(first));
            let late_looks = &mut self.recording.late_looks;
            if by > ALLOWANCE && late_looks.len() < LATE_LOOKS {
                late_looks.push(LateLook { at: looked, by });
            }
        }
        let rest = self.capture.drain()?;
        self.take(rest);
        self.look()?;
        self.recording.frames_lost = self.capture.lost()?;
        Ok(())
    }

    /// Records frames. Returns the time stamp of the first one.
    fn take(&mut self, mut frames: Vec<Frame>) -> Option<Moment> {
        for frame in &mut frames {
            frame.unheard = frame.direction == Direction::In && self.misses(frame);
        }
        self.tracks.send_modify(|tracks| {
            for frame in frames.iter().filter(|frame| !frame.unheard) {
                hear(tracks, &mut self.neighbours, frame);
            }
        });
        let first = frames.first().map(|frame| frame.at);
        for frame in frames {
            self.frames.push(frame);
        }
        first
    }

    /// Whether a frame that arrived at the interface did not reach the host's TCP.
    fn misses(&self, frame: &Frame) -> bool {
        let is_for_address = || Packet::destination(frame) == Some(self.address);
        self.blackout.at(frame.at) || (self.unaddressed.at(frame.at) && is_for_address())
    }

    /// Samples the socket. Returns the time of the sample. If the kernel has no such connection,
    /// the first such sample after the connection existed is kept, and no others.
    fn look(&mut self) -> io::Result<Moment> {
        let at = Moment::now();
        let state = self.diag.look()?;
        let known = self.samples.last().is_some_and(|last| last.state.is_some());
        if state.is_some() || known {
            self.samples.push(SocketSample {
                at,
                end: self.end,
                connection: self.connection,
                state,
            });
        }
        Ok(at)
    }
}

/// Adds a frame that the host sent or received to the tracks.
fn hear(tracks: &mut Tracks, neighbours: &mut Neighbours, frame: &Frame) {
    match Packet::of(frame) {
        Packet::Tcp(segment) => {
            let track = tracks.entry(segment.connection).or_default();
            track.observe(&segment);
        }
        Packet::Neighbour(message) => neighbours.observe(frame.at, frame.direction, message),
        Packet::Icmp(
            message @ IcmpMessage {
                quoted: Some(quoted),
                ..
            },
        ) if frame.direction == Direction::In => {
            if let Some(track) = tracks.get_mut(&quoted.connection) {
                track.observe_icmp(frame.at, message, quoted);
            }
        }
        Packet::Icmp(_) | Packet::Other => {}
    }
}
