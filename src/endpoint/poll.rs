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

/// What there is now.
pub(super) fn events(socket: impl AsFd) -> Vec<PollEvent> {
    let asked = PollFlags::IN | PollFlags::RDHUP;
    let mut sockets = [PollFd::new(&socket, asked)];
    // Without a wait it cannot be interrupted, and of a socket that is open it says nothing wrong.
    poll(&mut sockets, Some(&Timespec::default())).ok();
    let told = sockets[0].revents();
    let is_told = |event: &PollEvent| told.contains(flag(*event));
    PollEvent::ALL.into_iter().filter(is_told).collect()
}
