//! The two ends of the connection: sockets made inside the hosts' namespaces, ordinary async
//! objects from then on.

pub mod connection;
mod poll;
pub mod socket;
mod witness;

pub use connection::Endpoint;
pub use witness::EndWitness;
