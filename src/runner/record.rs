//! Recording at one host: every frame at its interface, and its socket whenever something has
//! happened.

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

/// What was captured, by connection (the client's port).
pub(super) type Tracks = BTreeMap<u16, Track>;

/// So many frames are kept at the beginning, and as many at the end: half a megabyte for a host of
/// a case at the very most.
const FRAMES: usize = 2000;
/// So many looks at a socket are kept at the beginning, and as many at the end.
const SAMPLES: usize = 500;
/// So many late looks are noted: one is enough for no verdict.
const LATE_LOOKS: usize = 100;

/// What records at one host.
pub(super) struct Recorder {
    pub(super) end: End,
    pub(super) capture: Capture,
    pub(super) diag: Diag,
    /// The connection that `diag` looks at.
    pub(super) connection: u16,
    /// What the frames say, for those who follow.
    pub(super) tracks: watch::Sender<Tracks>,
    pub(super) blackout: Blackout,
    /// The host's address, and when it did not have it.
    pub(super) address: IpAddr,
    pub(super) unaddressed: Blackout,
    /// Tells that something was done to the connection or its network.
    pub(super) nudge: Arc<Notify>,
    /// Tells that the case is over.
    pub(super) stop: Arc<Notify>,
    /// After so long without anything the socket is looked at all the same.
    pub(super) rate: Duration,
    pub(super) frames: BoundedLog<Frame>,
    pub(super) samples: BoundedLog<SocketSample>,
    pub(super) neighbours: Neighbours,
    pub(super) recording: Recording,
    /// Where the kernel tells what it drops.
    pub(super) drops: Option<Arc<DropMonitor>>,
}

/// What was recorded at one host.
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

    /// Records until it is stopped, and then what the kernel still has. What ends it before is
    /// noted with what was recorded: the evidence of a case costs no verdict, unless the file
    /// asks for what is missing.
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

    /// Takes frames into account; when the first of them passed.
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

    /// Whether a frame that arrived at the interface never came to the host's TCP.
    fn misses(&self, frame: &Frame) -> bool {
        let is_for_address = || Packet::destination(frame) == Some(self.address);
        self.blackout.at(frame.at) || (self.unaddressed.at(frame.at) && is_for_address())
    }

    /// Looks at the socket; when. What the kernel has said more than once, that there is no such
    /// connection, is kept once; and not at all before there is one.
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

/// Takes a frame into account that the host sent or heard.
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
