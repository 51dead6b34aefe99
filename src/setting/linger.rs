//! `linger`: `SO_LINGER`, which applies when the program closes its socket.

use super::EndSetting;
use crate::file::{Context, Key, Problem, Reported, Shape, Value};
use crate::model::Linger;

pub(super) const KEY: Key<Linger> = Key::value(
    "linger",
    Shape::Duration,
    linger,
    "`SO_LINGER`, 0 s to 3600 s in whole seconds, for `do = \"socket\"` with `action = \"close\"`: how long the close waits for the \
     peer's kernel to acknowledge everything. With `0s`, the close sends a RST and does not wait; `action = \"abort\"` always does that.",
);

/// The oracle has no rule for it, because it changes what a close sends and how long it takes.
///
/// The setting is not applied when the socket is opened. The step that closes the socket sets the
/// option, because until then the socket has a linger time of zero.
pub(super) const SETTING: EndSetting = EndSetting::new(
    &KEY,
    |end, cx, own| {
        own.linger = end.value(&KEY, cx)?;
        Ok(())
    },
    |own| {
        let time = own.linger.into_iter();
        time.map(|time| format!("SO_LINGER {time}")).collect()
    },
    |own| own.linger = None,
)
.without_rule();

fn linger(value: &Value, cx: &mut Context) -> Result<Linger, Reported> {
    let time = value.duration(cx)?;
    Linger::new(time).ok_or_else(|| {
        let message = format!("`{}` is not a valid SO_LINGER time", value.path());
        let help = "the range is 0s to 3600s, in whole seconds";
        value.wrong(Problem::new(message, help), cx)
    })
}
