//! The events of a socket, from poll(2).

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::model::PollEvent;

fn flag(event: PollEvent) -> PollFlags {
    match event {
        PollEvent::PollIn => PollFlags::IN,
        PollEvent::PollErr => PollFlags::ERR,
        PollEvent::PollHup => PollFlags::HUP,
        PollEvent::PollRdHup => PollFlags::RDHUP,
    }
}

/// Returns the current events of the socket.
pub(super) fn events(socket: impl AsFd) -> Vec<PollEvent> {
    let requested = PollFlags::IN | PollFlags::RDHUP;
    let mut sockets = [PollFd::new(&socket, requested)];
    // With a timeout of zero, poll(2) cannot be interrupted, and it cannot fail for an open socket.
    poll(&mut sockets, Some(&Timespec::default())).ok();
    let returned = sockets[0].revents();
    let is_set = |event: &PollEvent| returned.contains(flag(*event));
    PollEvent::ALL.into_iter().filter(is_set).collect()
}
