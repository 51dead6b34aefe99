//! When the kernel reported the end of a connection.
//!
//! The task that reads a socket may run late on a busy machine. A thread that does nothing else is
//! woken up in time, as those are that watch for stalls ([`crate::stall`]): it notes the moment.

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

/// Notes when sockets end, for as long as it lives; clones share the thread.
#[derive(Debug, Clone, Default)]
pub struct EndWitness(
    /// `None` where there is no thread: in virtual time nothing is late.
    Option<Arc<Witness>>,
);

/// What ends the thread when it is dropped.
#[derive(Debug)]
struct Witness(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    epoll: OwnedFd,
    /// The thread has it too: a closed descriptor is one that epoll forgets, whatever it has to say.
    stop: OwnedFd,
    watched: Mutex<Watched>,
}

/// The sockets that are watched, by their numbers.
#[derive(Debug, Default)]
struct Watched {
    last: u64,
    signals: HashMap<u64, Arc<Signals>>,
}

/// When a socket was shut down, the first time.
#[derive(Debug, Default)]
struct Signals {
    /// By the peer's FIN, or altogether: `EPOLLRDHUP`.
    shut: OnceLock<Moment>,
    /// Altogether, which is what an error does that ends the connection (`tcp_done`): `EPOLLHUP`.
    /// `EPOLLERR` also comes for an error that ends nothing (`IP_RECVERR`).
    hung_up: OnceLock<Moment>,
}

/// A socket that is watched until this is dropped.
#[derive(Debug, Default)]
pub(super) struct WatchedSocket(Option<(Arc<Shared>, u64, Arc<Signals>)>);

impl EndWitness {
    /// Starts the thread. A machine without room for one more thread has no witness, and the tasks
    /// that read are as late as they are.
    #[must_use]
    pub fn start() -> Self {
        Self(Witness::start().ok().map(Arc::new))
    }

    /// Notes from now on when the socket ends; it must have a connection, or be about to.
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
            // As it was connecting.
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

    /// Notes what is reported, until the thread is to end.
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
    /// When the kernel reported that the connection has ended so; `None`: nobody has seen it.
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
    fn a_fin_and_a_rst_are_seen_when_they_come_whoever_reads_later() {
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
    fn what_is_open_has_not_ended() {
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
        panic!("the thread still has it");
    }
}
