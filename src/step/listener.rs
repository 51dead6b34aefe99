//! What becomes of the server's listening socket.
//!
//! A handshake is the kernel's work: it is over before the program knows of it, and the connection waits in the accept queue. The queue takes
//! one more than the backlog that listen(2) was told (`sk_acceptq_is_full`). A SYN that finds it full is dropped (`tcp_conn_request`), and so is
//! the last acknowledgement of a handshake, or, with `net.ipv4.tcp_abort_on_overflow`, it is answered with a RST (`tcp_check_req`).

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DurationNanoSeconds, serde_as};

use crate::text::seconds;

/// A step at the server's listening socket.
#[serde_as]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListenerStep {
    /// What becomes of it.
    pub act: ListenerAct,
    /// The program accepts again after so long; `None`: never.
    #[serde_as(as = "Option<DurationNanoSeconds<u64>>")]
    pub lasts: Option<Duration>,
}

impl ListenerStep {
    /// How many connections it takes to fill the queue (`sk_acceptq_is_full`).
    #[must_use]
    pub fn strangers(self) -> u32 {
        match self.act {
            ListenerAct::Pause => 0,
            ListenerAct::Fill { backlog } => u32::from(backlog) + 1,
        }
    }
}

/// What becomes of a listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListenerAct {
    /// The program accepts nothing, and goes on listening.
    Pause,
    /// It also calls listen(2) with this backlog, and others connect until the queue is full.
    Fill {
        /// 1..=128.
        backlog: u8,
    },
}

/// As `check` prints it and messages name it.
impl fmt::Display for ListenerStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.act {
            ListenerAct::Pause => f.write_str("the server accepts nothing")?,
            ListenerAct::Fill { backlog } => {
                write!(f, "fill the server's accept queue, backlog {backlog}")?;
            }
        }
        match self.lasts {
            Some(time) => write!(f, ", for {}", seconds(time)),
            None => Ok(()),
        }
    }
}
