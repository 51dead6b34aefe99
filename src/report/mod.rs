//! What a person sees: functions of events and results, one file a form.

mod columns;
pub mod matrix;
pub mod plan;
pub mod progress;
pub mod runs;
pub mod summary;
pub mod table;
pub mod trace;

#[cfg(test)]
mod tests;
