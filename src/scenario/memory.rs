//! The TCP memory that a case may need. The limit `net.ipv4.tcp_mem` is for the whole machine; a
//! namespace has none of its own.
//!
//! A connection may need as much memory as is written, because the data may stay unacknowledged or
//! unread; but not more than the maximum size of its buffers.

use crate::model::{BufferSize, Connection, End, EndSettings};
use crate::scenario::Case;
use crate::step::{Action, ProgramAction};

/// The sizes of receive buffers on a lab's hosts, unless a file sets others: the minimum, the
/// initial and the maximum size, in bytes. The kernel chooses these sizes on a machine with 1 GiB
/// of memory or more (`tcp_init`).
pub(crate) const RECEIVE_BUFFERS: &str = "4096 131072 6291456";

/// The same for send buffers.
pub(crate) const SEND_BUFFERS: &str = "4096 16384 4194304";

impl Case {
    /// The maximum TCP memory that the connections of the case may need, in bytes.
    #[must_use]
    pub(crate) fn tcp_memory(&self) -> u64 {
        let actions = self.steps.iter().map(|step| &step.action);
        self.connection.tcp_memory(actions)
    }
}

impl Connection {
    /// The maximum TCP memory that all connections may need with these steps, in bytes.
    pub(super) fn tcp_memory<'s>(&self, actions: impl Iterator<Item = &'s Action>) -> u64 {
        let mut written = [0_u64; 2];
        for (from, bytes) in actions.filter_map(written_by) {
            let sum = &mut written[from as usize];
            *sum = sum.saturating_add(bytes);
        }
        let ends = [End::Client, End::Server];
        let of_one = ends.map(|from| written[from as usize].min(self.buffers(from)));
        let of_one = of_one.into_iter().fold(0, u64::saturating_add);
        of_one.saturating_mul(self.count.into())
    }

    /// The maximum size of the buffers for the data that one end writes: its send buffer and the
    /// receive buffer of the peer, in bytes.
    fn buffers(&self, from: End) -> u64 {
        let (sender, receiver) = (self.end(from), self.end(from.peer()));
        let send = sender.sysctl("net.ipv4.tcp_wmem").unwrap_or_default();
        let receive = receiver.sysctl("net.ipv4.tcp_rmem").unwrap_or_default();
        let send = buffer(sender.send_buffer, send, SEND_BUFFERS);
        send.saturating_add(buffer(receiver.receive_buffer, receive, RECEIVE_BUFFERS))
    }
}

/// For a step that writes without waiting for the peer: the end that writes, and the memory that
/// the data may need on each connection, in bytes. Each write needs up to one page in addition to
/// its data.
pub(super) fn written_by(action: &Action) -> Option<(End, u64)> {
    const PAGE: u64 = 4096;
    let Action::Program(action) = action else {
        return None;
    };
    match action {
        ProgramAction::Fill(fill) => Some((fill.from, u64::MAX)),
        ProgramAction::SendData(send) => Some((send.from, PAGE + u64::from(send.bytes))),
        ProgramAction::Connect(_)
        | ProgramAction::Exchange(_)
        | ProgramAction::Listener(_)
        | ProgramAction::Socket(_)
        | ProgramAction::Process(_)
        | ProgramAction::Reader(_) => None,
    }
}

impl EndSettings {
    /// The value of a sysctl in the file.
    fn sysctl(&self, name: &str) -> Option<&str> {
        let stated = self.sysctl.iter().find(|sysctl| sysctl.name == name);
        stated.map(|sysctl| sysctl.value.as_str())
    }
}

/// The maximum size of a buffer, in bytes. If the program sets a size, the kernel doubles it
/// (`sk_setsockopt`), and the size does not change. Otherwise the maximum is the largest of the
/// sysctl's three sizes. A write of fewer than three numbers leaves the other sizes as they are
/// (`proc_dointvec_minmax`).
fn buffer(asked: Option<BufferSize>, stated: &str, usual: &str) -> u64 {
    if let Some(size) = asked {
        return 2 * size.get() as u64;
    }
    let stated = stated.split_whitespace();
    let sizes = stated
        .clone()
        .chain(usual.split_whitespace().skip(stated.count()));
    let sizes = sizes.filter_map(|size| size.parse().ok());
    sizes.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::testing::cases;

    fn claim(settings: &str, steps: &[&str]) -> u64 {
        let steps: String = steps
            .iter()
            .map(|step| format!("[[step]]\n{step}\n"))
            .collect();
        let text = format!(
            "summary = \"x\"\ntopology = {{ preset = \"direct\", family = \"ipv4\" }}\n{settings}\n\
             expect.client.survives = \"1s\"\n{steps}"
        );
        cases(&text)[0].case.tcp_memory()
    }

    const PAUSE: &str = "do = \"reader\"\nat = \"server\"\naction = \"pause\"";
    const FILL: &str = "do = \"fill\"";

    #[test]
    fn what_is_written_counts_as_far_as_buffers_take_it() {
        let large =
            "connection.client.sysctl = { \"net.ipv4.tcp_wmem\" = \"4096 16384 500000000\" }";
        assert_eq!(claim(large, &["do = \"exchange\""]), 0);
        let send = "do = \"send\"\nbytes = 65536";
        assert_eq!(
            claim(large, &["do = \"send\"", send, send]),
            3 * 4096 + 10 + 2 * 65536
        );
        let small = "connection = { client.send_buffer = 5000, server.receive_buffer = 7000 }";
        assert_eq!(claim(small, &[send, send]), 24_000);
        assert_eq!(claim("", &[PAUSE, FILL]), 4_194_304 + 6_291_456);
    }

    #[test]
    fn buffers_are_as_large_as_options_and_sysctls_let_them_be() {
        let of = |settings: &str| claim(settings, &[PAUSE, FILL]);
        assert_eq!(
            of(
                "connection = { count = 3, client.send_buffer = 5000, server.receive_buffer = 7000 }"
            ),
            3 * (10_000 + 14_000)
        );
        let wmem = |value: &str| {
            of(&format!(
                "connection.client.sysctl = {{ \"net.ipv4.tcp_wmem\" = {value} }}"
            )) - 6_291_456
        };
        assert_eq!(wmem("\"4096 16384 100000\""), 100_000);
        assert_eq!(wmem("\"4096 20000000 100000\""), 20_000_000);
        assert_eq!(wmem("8000"), 4_194_304);
        // The send buffer of the other end does not count: the other end does not write.
        let other = "connection.server.sysctl = { \"net.ipv4.tcp_wmem\" = 90000000 }";
        assert_eq!(of(other), 4_194_304 + 6_291_456);
    }
}
