//! What poll(2) tells of a socket.

use std::fmt;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An event, as poll(2) names it. (Whether it can be written to is not looked at.)
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum PollEvent {
    /// `read` would not wait.
    PollIn,
    /// There is an error (`sk_err`, or a message in the socket's error queue).
    PollErr,
    /// Both directions are shut down.
    PollHup,
    /// The peer will send nothing more.
    PollRdHup,
}

impl PollEvent {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::PollIn, Self::PollErr, Self::PollHup, Self::PollRdHup];

    fn flag(self) -> PollFlags {
        match self {
            Self::PollIn => PollFlags::IN,
            Self::PollErr => PollFlags::ERR,
            Self::PollHup => PollFlags::HUP,
            Self::PollRdHup => PollFlags::RDHUP,
        }
    }
}

impl fmt::Display for PollEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PollIn => "POLLIN",
            Self::PollErr => "POLLERR",
            Self::PollHup => "POLLHUP",
            Self::PollRdHup => "POLLRDHUP",
        })
    }
}

/// What there is now.
pub(super) fn events(socket: impl AsFd) -> Vec<PollEvent> {
    let asked = PollFlags::IN | PollFlags::RDHUP;
    let mut sockets = [PollFd::new(&socket, asked)];
    // Without a wait it cannot be interrupted, and of a socket that is open it says nothing wrong.
    poll(&mut sockets, Some(&Timespec::default())).ok();
    let told = sockets[0].revents();
    let is_told = |event: &PollEvent| told.contains(event.flag());
    PollEvent::ALL.into_iter().filter(is_told).collect()
}
