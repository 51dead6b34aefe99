//! Records when the kernel reports the end of a connection.
//!
//! The task that reads a socket may run late on a busy machine. A thread that does nothing else
//! wakes up in time, like the threads that watch for stalls ([`crate::stall`]). It records the
//! time.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use crate::model::{Ended, Moment};

/// The event that ends the thread; sockets have the numbers above it.
const STOP: u64 = 0;

/// How many events one call of epoll_wait(2) takes.
const EVENTS: usize = 64;

/// Records when the connections of sockets end. Clones share one thread, which ends with the last
/// clone.
#[derive(Debug, Clone, Default)]
pub struct EndWitness(
    /// `None` if there is no thread. None is needed in virtual time, where no task is late.
    Option<Arc<Witness>>,
);

/// The handle of the thread. Its drop ends the thread.
#[derive(Debug)]
struct Witness(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    epoll: OwnedFd,
    /// The eventfd that ends the thread. The thread holds it too, because epoll forgets a closed
    /// descriptor together with its pending event.
    stop: OwnedFd,
    watched: Mutex<Watched>,
}

/// The watched sockets, by their numbers.
#[derive(Debug, Default)]
struct Watched {
    last: u64,
    signals: HashMap<u64, Arc<Signals>>,
}

/// The times at which a socket was first reported as shut down.
#[derive(Debug, Default)]
struct Signals {
    /// By the peer's FIN, or in both directions: `EPOLLRDHUP`.
    shut: OnceLock<Moment>,
    /// In both directions, as by an error that ends the connection (`tcp_done`): `EPOLLHUP`.
    /// `EPOLLERR` is not used, because it is also reported for an error that does not end the
    /// connection (`IP_RECVERR`).
    hung_up: OnceLock<Moment>,
}

/// A watched socket. Dropping this ends the watch.
#[derive(Debug, Default)]
pub(super) struct WatchedSocket(Option<(Arc<Shared>, u64, Arc<Signals>)>);

impl EndWitness {
    /// Starts the thread. If the machine has no room for one more thread, there is no witness, and
    /// an end is recorded with the time at which the reading task sees it.
    #[must_use]
    pub(crate) fn start() -> Self {
        Self(Witness::start().ok().map(Arc::new))
    }

    /// Starts to record when the connection of the socket ends. The socket must be connected or
    /// connecting.
    pub(super) fn watch(&self, socket: impl AsFd) -> WatchedSocket {
        let Some(witness) = &self.0 else {
            return WatchedSocket::default();
        };
        let shared = &witness.0;
        let (number, signals) = shared.watched().add();
        let flags = EventFlags::HUP | EventFlags::RDHUP | EventFlags::ET;
        let data = EventData::new_u64(number);
        let watched = WatchedSocket(Some((Arc::clone(shared), number, signals)));
        let added = epoll::add(&shared.epoll, &socket, data, flags);
        match added {
            // The socket was already added when it was connecting.
            Err(Errno::EXIST) => epoll::modify(&shared.epoll, &socket, data, flags),
            other => other,
        }
        .map_or_else(|_| WatchedSocket::default(), |()| watched)
    }
}

impl Witness {
    fn start() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC)?;
        epoll::add(&epoll, &stop, EventData::new_u64(STOP), EventFlags::IN)?;
        let watched = Mutex::default();
        let shared = Arc::new(Shared {
            epoll,
            stop,
            watched,
        });
        let witness = Self(Arc::clone(&shared));
        thread::Builder::new()
            .name("end-witness".to_owned())
            .spawn(move || shared.note())?;
        Ok(witness)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        rustix::io::write(&self.0.stop, &1_u64.to_ne_bytes()).ok();
    }
}

impl Shared {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the reported events until the thread is to end.
    fn note(&self) {
        let mut buffer = [MaybeUninit::<Event>::uninit(); EVENTS];
        loop {
            let events = match epoll::wait(&self.epoll, &mut buffer, None) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => continue,
                Err(_) => return,
            };
            let now = Moment::now();
            for event in events {
                let number = event.data.u64();
                if number == STOP {
                    return;
                }
                if let Some(signals) = self.watched().signals.get(&number) {
                    signals.note(event.flags, now);
                }
            }
        }
    }
}

impl Signals {
    fn note(&self, flags: EventFlags, now: Moment) {
        if flags.contains(EventFlags::RDHUP) {
            self.shut.get_or_init(|| now);
        }
        if flags.contains(EventFlags::HUP) {
            self.hung_up.get_or_init(|| now);
        }
    }
}

impl Watched {
    fn add(&mut self) -> (u64, Arc<Signals>) {
        self.last += 1;
        let signals = Arc::<Signals>::default();
        self.signals.insert(self.last, Arc::clone(&signals));
        (self.last, signals)
    }
}

impl WatchedSocket {
    /// Returns the time at which the kernel reported this kind of end, or `None` if it was not
    /// reported or not seen.
    pub(super) fn reported(&self, ended: Ended) -> Option<Moment> {
        let (_, _, signals) = self.0.as_ref()?;
        match ended {
            Ended::EndOfFile => signals.shut.get().copied(),
            Ended::Error(_) => signals.hung_up.get().copied(),
        }
    }
}

impl Drop for WatchedSocket {
    fn drop(&mut self) {
        if let Some((shared, number, _)) = &self.0 {
            shared.watched().signals.remove(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::thread::sleep;
    use std::time::Duration;

    use socket2::SockRef;

    use super::EndWitness;
    use crate::model::{Ended, ErrnoName, Moment};

    const A_WHILE: Duration = Duration::from_millis(300);

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn a_fin_and_a_rst_are_recorded_when_they_arrive() {
        let witness = EndWitness::start();
        let reset = Ended::Error(ErrnoName::from_raw(nix::libc::ECONNRESET));
        for (abort, ended, other) in [(false, Ended::EndOfFile, Some(reset)), (true, reset, None)] {
            let (near, far) = pair();
            let watched = witness.watch(&near);
            if abort {
                SockRef::from(&far)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
            let before = Moment::now();
            drop(far);
            sleep(A_WHILE);
            let seen = watched.reported(ended).unwrap();
            assert!(seen.since(before) < A_WHILE / 2, "{:?}", seen.since(before));
            assert_eq!(other.and_then(|other| watched.reported(other)), None);
        }
    }

    #[test]
    fn an_open_connection_has_not_ended() {
        let witness = EndWitness::start();
        let (near, mut far) = pair();
        let watched = witness.watch(&near);
        std::io::Write::write_all(&mut far, b"data").unwrap();
        sleep(A_WHILE);
        assert_eq!(watched.reported(Ended::EndOfFile), None);
    }

    #[test]
    fn the_thread_ends_with_the_last_clone() {
        let witness = EndWitness::start();
        let shared = std::sync::Arc::downgrade(&witness.0.as_ref().unwrap().0);
        drop((witness.clone(), witness));
        for _ in 0..100 {
            if shared.strong_count() == 0 {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("the thread is still running");
    }
}
