//! The vocabulary: names and quantities that all other modules share. It imports no other module.

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
    CLIENT_PORT, Connection, EffectiveKeepalive, EndSettings, Keepalive, NodeSysctls, SERVER_PORT,
    Sysctl,
};
pub use end::End;
pub use errno::ErrnoName;
pub use expectation::{
    CounterName, Counters, EvidenceExpectation, Expectation, Expectations, ExpectedOutcome,
    ExpectedTimer, IcmpKind, NextWrite, Places, ProbeExpectation, Since, StatedWindow,
    WindowProbeExpectation,
};
pub use family::{Family, Stack};
pub use firewall::Firewall;
pub use hz::Hz;
pub use icmp::{icmp_name, icmp_names};
pub use limits::{
    BufferSize, CountRange, KeepaliveSeconds, Linger, Percent, ProbeCount, TCP_MEMORY,
    TrackingSeconds,
};
pub use moment::Moment;
pub use node::Node;
pub use probe::ProbeEvent;
pub use route::RouteChange;
pub use segments::{DRAWN, Filter, FilterVerdict, Loss, Segments, Unreachable, Which};
pub use socket::{Ended, PollEvent, TcpState, TimerKind};
pub use tolerance::{ALLOWANCE, STEP_TIME};
pub use topology::{LARGEST_MTU, Link, Machine, Preset, Role, SMALLEST_MTU, Side, Topology};
