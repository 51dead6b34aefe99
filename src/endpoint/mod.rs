//! The two ends of a connection. Their sockets are created inside the hosts' namespaces and are
//! ordinary async objects after that.

pub(crate) mod connection;
mod poll;
pub mod socket;
mod witness;

pub use connection::Endpoint;
pub use witness::EndWitness;
