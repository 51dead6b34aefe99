//! `send_buffer` and `receive_buffer`: `SO_SNDBUF` and `SO_RCVBUF`.

use nix::libc;

use super::{EndSetting, OptionKind, SocketOption};
use crate::file::{Context, Key, Reported, Shape, Value};
use crate::model::BufferSize;

const SIZE: Shape = Shape::Integer(*BufferSize::RANGE.start(), *BufferSize::RANGE.end());

pub(super) const SEND_KEY: Key<BufferSize> = Key::value(
    "send_buffer",
    SIZE,
    size,
    "`SO_SNDBUF` in bytes. The kernel reserves twice this size, because it also counts its own overhead.",
);
pub(super) const RECEIVE_KEY: Key<BufferSize> = Key::value(
    "receive_buffer",
    SIZE,
    size,
    "`SO_RCVBUF` in bytes. The kernel reserves twice this size, because it also counts its own overhead.",
);

/// The oracle has no rule for it, because it changes the amount of data in flight.
pub(super) const SEND: EndSetting = EndSetting::new(
    &SEND_KEY,
    |end, cx, own| {
        own.send_buffer = end.value(&SEND_KEY, cx)?;
        Ok(())
    },
    |own| {
        let size = own.send_buffer.into_iter();
        size.map(|size| format!("SO_SNDBUF {size}")).collect()
    },
    |own| own.send_buffer = None,
)
.options(|own, _| {
    let size = own.send_buffer.into_iter();
    size.map(|size| option(libc::SO_SNDBUF, size, "net.core.wmem_max"))
        .collect()
})
.without_rule();

/// The oracle has no rule for it, because it changes the amount of data in flight: a small buffer
/// closes the window, and then the persist timer runs.
pub(super) const RECEIVE: EndSetting = EndSetting::new(
    &RECEIVE_KEY,
    |end, cx, own| {
        own.receive_buffer = end.value(&RECEIVE_KEY, cx)?;
        Ok(())
    },
    |own| {
        let size = own.receive_buffer.into_iter();
        size.map(|size| format!("SO_RCVBUF {size}")).collect()
    },
    |own| own.receive_buffer = None,
)
.options(|own, _| {
    let size = own.receive_buffer.into_iter();
    size.map(|size| option(libc::SO_RCVBUF, size, "net.core.rmem_max"))
        .collect()
})
.without_rule();

/// Returns the socket option. A listening socket passes its buffer sizes to every connection from
/// the first segment on, because the SYN-ACK announces the window.
fn option(name: i32, size: BufferSize, limit: &'static str) -> SocketOption {
    SocketOption {
        kind: OptionKind::Buffer { limit },
        ..SocketOption::new(libc::SOL_SOCKET, name, size.get() as i32)
    }
}

fn size(value: &Value, cx: &mut Context) -> Result<BufferSize, Reported> {
    value.integer(BufferSize::RANGE, BufferSize::new, cx)
}
