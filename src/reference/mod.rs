//! The reference of the scenario format and its JSON Schema, generated from the tables that the
//! decoder of scenario files uses.

mod page;
mod schema;

pub use page::markdown;
pub use schema::schema;
