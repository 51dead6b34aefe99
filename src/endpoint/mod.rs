//! The two ends of the connection: sockets made inside the hosts' namespaces, ordinary async
//! objects from then on.

pub mod connection;
mod poll;
pub mod socket;

pub use connection::Endpoint;
