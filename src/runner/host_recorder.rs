//! One host of a case: its sockets, and the recording at the host.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::descriptors::Sockets;
use super::record::{Recorded, Recorder, Tracks};
use super::shared::SharedLab;
use crate::endpoint::Endpoint;
use crate::lab::capture::Capture;
use crate::lab::diag::Diag;
use crate::lab::error::LabError;
use crate::model::{CLIENT_PORT, Counters, End, Family, Moment, SERVER_PORT};
use crate::outcome::Recording;
use crate::prepare::WindowOrigin;
use crate::wire::Neighbours;

/// One host of a variant.
#[derive(Debug)]
pub(super) struct HostRecorder {
    pub(super) end: End,
    /// The sockets of the connections, in the order of the client's ports.
    pub(super) endpoints: Vec<Endpoint>,
    /// All sockets of the host, including the listening socket.
    sockets: Sockets,
    /// The number of open descriptors before the connections were opened.
    pub(super) descriptors_before: usize,
    tracks: watch::Receiver<Tracks>,
    recording: JoinHandle<Recorded>,
    nudge: Arc<Notify>,
    stop: Arc<Notify>,
    /// The state of the host at the end of its watch.
    pub(super) watched: Option<Watched>,
}

/// The state of a host at the end of its watch.
#[derive(Debug)]
pub(super) struct Watched {
    /// The increase of each counter since the baseline.
    pub(super) counters: Counters,
    /// The end of the watch.
    pub(super) until: Moment,
    /// The delay from the outcome, or from the end of the time, to the read of the counters.
    pub(super) look_delay: Duration,
}

impl HostRecorder {
    /// Starts the recording of one family at the host. The socket is sampled at least once in each
    /// interval `rate`.
    pub(super) async fn new(
        shared: &SharedLab,
        (end, family): (End, Family),
        rate: Duration,
    ) -> Result<Self, LabError> {
        let lab = &shared.lab;
        let node = lab.node(end.node());
        let port = |end| match end {
            End::Client => CLIENT_PORT,
            End::Server => SERVER_PORT,
        };
        let plan = lab.plan(family);
        let own = plan.socket_address(end, port(end));
        let across = plan.seen_address(end.peer());
        let across = SocketAddr::new(across, port(end.peer()));
        let (capture, diag) = try_join(
            Capture::open(node, lab.uplink(end).index, family),
            Diag::open(node, own, across),
        )
        .await?;
        let (sender, tracks) = watch::channel(Tracks::new());
        let (nudge, stop) = (Arc::default(), Arc::default());
        let recorder = Recorder {
            end,
            capture,
            diag,
            connection: CLIENT_PORT,
            tracks: sender,
            blackout: shared.host(end).blackout.clone(),
            address: own.ip(),
            unaddressed: shared.host(end).unaddressed(family).clone(),
            nudge: Arc::clone(&nudge),
            stop: Arc::clone(&stop),
            rate,
            frames: Recorder::frames(),
            samples: Recorder::samples(),
            neighbours: Neighbours::default(),
            recording: Recording::default(),
            drops: shared.context.drops.clone(),
        };
        Ok(Self {
            end,
            endpoints: Vec::new(),
            sockets: Sockets::default(),
            descriptors_before: 0,
            tracks,
            recording: tokio::spawn(recorder.record()),
            nudge,
            stop,
            watched: None,
        })
    }

    /// Wakes the recorder after a step, so that it samples the socket.
    pub(super) fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Adds a socket of this host to the sockets whose descriptors are counted.
    pub(super) fn add_socket(&mut self, socket: &impl AsFd) -> Result<(), LabError> {
        let added = self.sockets.add(socket);
        added.map_err(|source| LabError::at_socket(self.end, "inspect a socket", source))
    }

    /// The number of open descriptors of the sockets of this host.
    pub(super) fn count_descriptors(&self) -> Result<usize, LabError> {
        let counted = self.sockets.count_open();
        counted.map_err(|source| LabError::at_socket(self.end, "count open descriptors", source))
    }

    /// A receiver of the captured tracks.
    pub(super) fn tracks(&self) -> watch::Receiver<Tracks> {
        self.tracks.clone()
    }

    /// Waits until the peer has acknowledged all data that this host wrote on open connections: an
    /// earlier fault would find data in flight. The capture lags behind the sockets, so it is not
    /// sufficient that all captured data is acknowledged; all written data must be.
    pub(super) async fn quiet(&self) {
        let mut tracks = self.tracks();
        // The channel closes only when the capture ends. Then nothing more can arrive.
        let is_quiet = |tracks: &Tracks| {
            let alive = self
                .endpoints
                .iter()
                .filter(|endpoint| !endpoint.is_broken());
            alive.into_iter().all(|endpoint| {
                let track = tracks.get(&endpoint.connection);
                track.is_some_and(|track| track.is_quiet(endpoint.written()))
            })
        };
        tracks.wait_for(is_quiet).await.ok();
    }

    /// The latest origin of a window among the connections of this host, according to the frames
    /// captured so far; `zero` if no connection has such an origin.
    pub(super) fn origin(&self, from: WindowOrigin, zero: Moment) -> Moment {
        let tracks = self.tracks.borrow();
        let now = Moment::now();
        let origins = self.endpoints.iter().filter_map(|endpoint| {
            let track = tracks.get(&endpoint.connection)?;
            from.moment(zero, track, &endpoint.writes, now)
        });
        origins.max().unwrap_or(zero)
    }

    /// Stops the recording, after all frames that the kernel has captured have been read. The
    /// connections stay open.
    ///
    /// # Errors
    /// An error if the recording task panicked.
    pub(super) async fn finish(&mut self) -> Result<(Tracks, Recorded), LabError> {
        self.stop.notify_one();
        let recorded = (&mut self.recording).await.map_err(io::Error::other);
        let recorded = recorded
            .map_err(|source| LabError::at_socket(self.end, "record at the host", source))?;
        Ok((self.tracks.borrow().clone(), recorded))
    }
}
