//! How the model's types are written: in a file, in `check`'s plan, in messages.

use std::fmt;

use super::model::{
    Action, CableChange, CaseId, Clock, CounterName, End, Family, HardwareAddress, NextWrite,
    Preset, ProbeEvent, Role, RouteChange, Step,
};
use crate::text::seconds;

macro_rules! display_as {
    ($type:ty { $($variant:path => $text:literal),+ $(,)? }) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $($variant => $text),+ })
            }
        }
    };
}

display_as!(Clock { Clock::Any => "any", Clock::Slow => "slow", Clock::Virtual => "virtual" });
display_as!(Family { Family::Ipv4 => "ipv4", Family::Ipv6 => "ipv6" });
display_as!(Preset { Preset::Direct => "direct", Preset::Switched => "switched", Preset::Routed => "routed" });
display_as!(Role { Role::Host => "host", Role::Router => "router", Role::Switch => "switch" });
display_as!(End { End::Client => "client", End::Server => "server" });
display_as!(ProbeEvent { ProbeEvent::Sent => "sent", ProbeEvent::Answered => "answered" });
display_as!(CableChange { CableChange::Pull => "pull", CableChange::Plug => "plug" });
impl fmt::Display for NextWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeds => f.pad("succeeds"),
            Self::Fails(errno) => errno.fmt(f),
        }
    }
}

/// As `check` prints it and messages name it.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange { from, payload } => {
                write!(f, "exchange {} bytes from {from}", payload.len())
            }
            Self::Send { from, bytes } => write!(f, "send {bytes} bytes from {from}"),
            Self::Connect => f.pad("connect"),
            Self::Fill { from } => write!(f, "fill the window from {from}"),
            Self::Cable { at, change } => write!(f, "{change} the {at}'s cable"),
            Self::Crash { host } => write!(f, "crash the {host}"),
            Self::Resume { host } => write!(f, "resume the {host}"),
            Self::Reboot {
                host,
                downtime,
                mac,
            } => {
                let mac = match mac {
                    HardwareAddress::Kept => "",
                    HardwareAddress::New => ", with another hardware address",
                };
                write!(f, "reboot the {host}, {} down{mac}", seconds(*downtime))
            }
            Self::Link { at, to, change } => {
                let (change, at) = (change.to_string(), at.the());
                write!(f, "{change} the link to {} at {at}", to.the())
            }
            Self::Route { on, to, change } => {
                let (word, more) = match change {
                    RouteChange::Delete => ("delete", String::new()),
                    RouteChange::Unreachable => ("unreachable", String::new()),
                    RouteChange::Prohibit => ("prohibit", String::new()),
                    RouteChange::Blackhole => ("blackhole", String::new()),
                    RouteChange::Via(next) => ("move", format!(", to go over {}", next.the())),
                    RouteChange::Restore => ("restore", String::new()),
                };
                write!(f, "{word} the route to the {to} on {}{more}", on.the())
            }
            Self::Network(step) => step.fmt(f),
            Self::Middlebox(step) => step.fmt(f),
            Self::Program(step) => step.fmt(f),
            Self::Listener(step) => step.fmt(f),
        }
    }
}

/// What it does, and to which family.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            None => self.action.fmt(f),
            Some(family) => write!(f, "{} ({family} only)", self.action),
        }
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for CounterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
