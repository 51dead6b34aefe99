//! `linger`: `SO_LINGER` for when the program closes its socket.

use super::EndSetting;
use crate::file::{Context, Key, Problem, Reported, Shape, Value};
use crate::model::Linger;

pub(super) const KEY: Key<Linger> = Key::value(
    "linger",
    Shape::Duration,
    linger,
    "`SO_LINGER`, 0 s to 3600 s in whole seconds, for `do = \"socket\"` with `action = \"close\"`: how long the close waits until the \
     peer's kernel has everything. With `0s` it does not wait and sends a RST, as `action = \"abort\"` does with any setting.",
);

/// It changes what a close is, and how long it takes.
///
/// It is no option of the open socket: the step that closes the socket sets it, because a linger of
/// zero is there until then.
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
        let message = format!("`{}` is not what a lingering socket takes", value.path());
        let help = "it is 0s to 3600s, in whole seconds";
        value.wrong(Problem::new(message, help), cx)
    })
}
