//! One host's part in a case: its sockets, and what is recorded at it.

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
    /// In the order in which the client connected.
    pub(super) endpoints: Vec<Endpoint>,
    /// Its sockets, the listening one included.
    sockets: Sockets,
    /// How many descriptors it had open before the connections.
    pub(super) descriptors_before: usize,
    tracks: watch::Receiver<Tracks>,
    recording: JoinHandle<Recorded>,
    nudge: Arc<Notify>,
    stop: Arc<Notify>,
    /// How it stood at the end of its watch.
    pub(super) watched: Option<Watched>,
}

/// How a host stands at one moment.
#[derive(Debug)]
pub(super) struct Watched {
    /// By how much the counters have risen.
    pub(super) counters: Counters,
    /// The end of the watch.
    pub(super) until: Moment,
    /// How long after the outcome, or the time, the counters were read.
    pub(super) look_delay: Duration,
}

impl HostRecorder {
    /// Starts to record at the host what is of this family, at this rate at least.
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

    /// Tells whoever records that something was done.
    pub(super) fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Takes one more socket of this host into account.
    pub(super) fn add_socket(&mut self, socket: &impl AsFd) -> Result<(), LabError> {
        let added = self.sockets.add(socket);
        added.map_err(|source| LabError::at_socket(self.end, "inspect a socket", source))
    }

    /// How many descriptors of its sockets are open now.
    pub(super) fn count_descriptors(&self) -> Result<usize, LabError> {
        let counted = self.sockets.count_open();
        counted.map_err(|source| LabError::at_socket(self.end, "count open descriptors", source))
    }

    /// Follows what is captured.
    pub(super) fn tracks(&self) -> watch::Receiver<Tracks> {
        self.tracks.clone()
    }

    /// Waits until all that this host wrote on connections that are open has been acknowledged: a
    /// fault before would meet data in flight. The capture runs behind the sockets, so it is
    /// not enough that what has been captured is acknowledged.
    pub(super) async fn quiet(&self) {
        let mut tracks = self.tracks();
        // The channel closes only with the capture, and then there is nothing to wait for.
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

    /// The latest of its connections' origins of a window, as far as it has been captured; zero
    /// time where there is none.
    pub(super) fn origin(&self, from: WindowOrigin, zero: Moment) -> Moment {
        let tracks = self.tracks.borrow();
        let now = Moment::now();
        let origins = self.endpoints.iter().filter_map(|endpoint| {
            let track = tracks.get(&endpoint.connection)?;
            from.moment(zero, track, &endpoint.writes, now)
        });
        origins.max().unwrap_or(zero)
    }

    /// Stops to record, once everything that the kernel has is taken into account. The connections
    /// stay open.
    ///
    /// # Errors
    /// That the recording panicked.
    pub(super) async fn finish(&mut self) -> Result<(Tracks, Recorded), LabError> {
        self.stop.notify_one();
        let recorded = (&mut self.recording).await.map_err(io::Error::other);
        let recorded = recorded
            .map_err(|source| LabError::at_socket(self.end, "record at the host", source))?;
        Ok((self.tracks.borrow().clone(), recorded))
    }
}
