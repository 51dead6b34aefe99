//! The file format: TOML text to checked types, with every error of a file at once.

pub mod diagnostic;
pub mod limits;
pub mod model;

mod context;
mod quantity;
mod suggest;
