//! The basic types: names and quantities that all other modules share. This module imports no other
//! module.

pub(crate) mod display;

mod connection;
mod end;
mod errno;
mod expectation;
mod family;
mod firewall;
mod hz;
mod icmp;
mod limits;
pub(crate) mod moment;
mod node;
mod probe;
mod route;
mod segments;
mod socket;
mod tolerance;
mod topology;

pub use connection::{
    CLIENT_PORT, Connection, EndSettings, Keepalive, NodeSysctls, SERVER_PORT, Sysctl,
};

pub(crate) use connection::EffectiveKeepalive;
pub use end::End;
pub use errno::ErrnoName;
pub(crate) use expectation::Counters;
pub(crate) use expectation::NextWrite;
pub use expectation::{
    CounterName, EvidenceExpectation, Expectation, Expectations, ExpectedOutcome, ExpectedTimer,
    IcmpKind, Places, ProbeExpectation, Since, StatedWindow, WindowProbeExpectation,
};
pub use family::{Family, Stack};
pub use firewall::Firewall;
pub use hz::Hz;
pub(crate) use icmp::{icmp_name, icmp_names};
pub(crate) use limits::TCP_MEMORY;
pub use limits::{
    BufferSize, CountRange, KeepaliveSeconds, Linger, Percent, ProbeCount, TrackingSeconds,
};
pub use moment::Moment;
pub use node::Node;
pub use probe::ProbeEvent;
pub use route::RouteChange;
pub(crate) use segments::DRAWN;
pub(crate) use segments::FilterVerdict;
pub(crate) use segments::Loss;
pub(crate) use segments::Segments;
pub(crate) use segments::Unreachable;
pub(crate) use segments::{Filter, Which};
pub(crate) use socket::PollEvent;
pub use socket::{Ended, TcpState, TimerKind};
pub(crate) use tolerance::{ALLOWANCE, ROUND_TRIP, STEP_TIME};
pub(crate) use topology::Topology;
pub(crate) use topology::{LARGEST_MTU, Link, Machine, SMALLEST_MTU};
pub use topology::{Preset, Role, Side};
