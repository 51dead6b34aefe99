//! deadpeer: how and when a program learns that its TCP peer is gone, on the real kernel.
pub mod errno;
pub mod oracle;
pub mod scenario;
