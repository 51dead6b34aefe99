//! The two ends of the connection: sockets made inside the hosts' namespaces, ordinary async objects from then on.

pub mod connection;
pub mod socket;

pub use connection::{Ended, Endpoint};
