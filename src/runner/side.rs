//! One host's part in a case: its sockets, its capture, its counters before the fault.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::case::io_at;
use super::descriptors::Sockets;
use crate::clock::Moment;
use crate::endpoint::Endpoint;
use crate::lab::Lab;
use crate::lab::capture::Capture;
use crate::lab::counters::{self, Counters};
use crate::lab::error::LabError;
use crate::prepare::WindowOrigin;
use crate::scenario::model::End;
use crate::wire::{Direction, Segment, Track};

/// What was captured, by connection (the client's port).
pub(super) type Tracks = BTreeMap<u16, Track>;

/// One host of the case.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) end: End,
    /// In the order in which the client connected.
    pub(super) endpoints: Vec<Endpoint>,
    /// Its sockets, the listening one included.
    sockets: Sockets,
    /// How many descriptors it had open before the connections.
    pub(super) descriptors_before: usize,
    tracks: watch::Receiver<Tracks>,
    pub(super) deaf: Deaf,
    /// Held while it is down from a reboot.
    pub(super) down: Arc<tokio::sync::Mutex<()>>,
    capture: JoinHandle<io::Result<()>>,
    stop: oneshot::Sender<()>,
    counters_before: Counters,
    /// How it stood at the end of its watch.
    pub(super) watched: Option<Watched>,
}

/// How a host stands at one moment.
#[derive(Debug)]
pub(super) struct Watched {
    /// By how much the counters have risen.
    pub(super) counters: Counters,
    /// The moment.
    pub(super) until: Moment,
}

/// When a host was silenced: its packet socket still sees what arrives, which the host itself does not.
#[derive(Debug, Clone, Default)]
pub(super) struct Deaf(Arc<Mutex<Silences>>);

/// From when to when; the last one may have no end yet.
type Silences = Vec<(Moment, Option<Moment>)>;

impl Deaf {
    /// From now on it hears nothing.
    pub(super) fn begin(&self) {
        self.times().push((Moment::now(), None));
    }

    /// Up to this moment it heard nothing.
    pub(super) fn end(&self, until: Moment) {
        if let Some((_, end)) = self.times().last_mut() {
            end.get_or_insert(until);
        }
    }

    /// Whether it hears nothing now.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.times().last(), Some((_, None)))
    }

    fn at(&self, moment: Moment) -> bool {
        let within = |(from, until): &(Moment, Option<Moment>)| {
            *from <= moment && until.is_none_or(|until| moment < until)
        };
        self.times().iter().any(within)
    }

    fn times(&self) -> std::sync::MutexGuard<'_, Silences> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Side {
    /// Starts to capture at the host's interface.
    pub(super) async fn new(lab: &Lab, end: End) -> Result<Self, LabError> {
        let capture = Capture::open(lab.node(end.node()), lab.uplink(end).index).await?;
        let (sender, tracks) = watch::channel(Tracks::new());
        let (stop, stopped) = oneshot::channel();
        let deaf = Deaf::default();
        let capture = tokio::spawn(follow(capture, sender, deaf.clone(), stopped));
        Ok(Self {
            end,
            endpoints: Vec::new(),
            sockets: Sockets::default(),
            descriptors_before: 0,
            tracks,
            deaf,
            down: Arc::default(),
            capture,
            stop,
            counters_before: Counters::new(),
            watched: None,
        })
    }

    /// Takes one more socket of this host into account.
    pub(super) fn add_socket(&mut self, socket: &impl AsFd) -> Result<(), LabError> {
        let added = self.sockets.add(socket);
        added.map_err(|source| io_at(self.end, "inspect a socket", source))
    }

    /// How many descriptors of its sockets are open now.
    pub(super) fn count_descriptors(&self) -> Result<usize, LabError> {
        let counted = self.sockets.count_open();
        counted.map_err(|source| io_at(self.end, "count open descriptors", source))
    }

    /// Follows what is captured.
    pub(super) fn tracks(&self) -> watch::Receiver<Tracks> {
        self.tracks.clone()
    }

    /// Waits until all that this host wrote has been acknowledged: a fault before would meet data in flight. The capture runs behind
    /// the sockets, so it is not enough that what has been captured is acknowledged.
    pub(super) async fn quiet(&self) {
        let mut tracks = self.tracks();
        // The channel closes only with the capture, and then there is nothing to wait for.
        let is_quiet = |tracks: &Tracks| {
            self.endpoints.iter().all(|endpoint| {
                let track = tracks.get(&endpoint.connection);
                track.is_some_and(|track| track.is_quiet(endpoint.written()))
            })
        };
        tracks.wait_for(is_quiet).await.ok();
    }

    /// The latest of its connections' origins of a window, as far as it has been captured; zero time where there is none.
    pub(super) fn origin(&self, from: WindowOrigin, zero: Moment) -> Moment {
        let tracks = self.tracks.borrow();
        let now = Moment::now();
        let origins = self.endpoints.iter().filter_map(|endpoint| {
            let track = tracks.get(&endpoint.connection)?;
            from.moment(zero, track, &endpoint.writes, now)
        });
        origins.max().unwrap_or(zero)
    }

    /// Remembers the counters as they are now.
    pub(super) async fn mark_counters(&mut self, lab: &Lab) -> Result<(), LabError> {
        self.counters_before = counters::read(lab.node(self.end.node())).await?;
        Ok(())
    }

    /// How it stands now: the moment, and by how much the counters rose since they were marked.
    pub(super) async fn look(&self, lab: &Lab) -> Result<Watched, LabError> {
        let until = Moment::now();
        let now = counters::read(lab.node(self.end.node())).await?;
        Ok(Watched {
            counters: counters::rises(&self.counters_before, &now),
            until,
        })
    }

    /// Stops to capture, once everything that the kernel has is taken into account.
    ///
    /// # Errors
    /// What ended the capture before: what it did not see would count as what was not on the wire.
    pub(super) async fn finish_capture(self) -> Result<Tracks, LabError> {
        // Fails where the capture has ended already, which says why.
        self.stop.send(()).ok();
        let followed = self
            .capture
            .await
            .map_err(io::Error::other)
            .and_then(|followed| followed);
        followed.map_err(|source| io_at(self.end, "capture at the interface", source))?;
        Ok(self.tracks.borrow().clone())
    }
}

async fn follow(
    capture: Capture,
    tracks: watch::Sender<Tracks>,
    deaf: Deaf,
    mut stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let take = |segments: Vec<Segment>| {
        let heard =
            |segment: &&Segment| segment.direction == Direction::Out || !deaf.at(segment.at);
        tracks.send_modify(|tracks| {
            for segment in segments.iter().filter(heard) {
                let track = tracks.entry(segment.connection).or_default();
                track.observe(segment);
            }
        });
    };
    loop {
        tokio::select! {
            segments = capture.next() => take(segments?),
            _ = &mut stopped => {
                take(capture.drain()?);
                return capture.complete();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_deaf_from_its_silence_to_its_return() {
        let deaf = Deaf::default();
        let before = Moment::now();
        deaf.begin();
        let during = Moment::now();
        assert!(deaf.at(during) && !deaf.at(Moment::from_nanos(0)));
        let back = during + std::time::Duration::from_secs(1);
        deaf.end(back);
        // It may end only once.
        deaf.end(back + std::time::Duration::from_secs(1));
        assert!(!deaf.at(back) && deaf.at(during));
        assert!(before <= during);
    }
}
