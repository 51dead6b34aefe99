//! The reference of the scenario format and its JSON Schema, from the same tables that files are
//! read by.

mod page;
mod schema;

pub use page::markdown;
pub use schema::schema;
