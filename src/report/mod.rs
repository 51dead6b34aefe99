//! The output for people: functions of events and results, one file per form.

mod bases;
mod captured;
mod columns;
pub mod detail;
pub(crate) mod evidence;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod matrix;
pub mod pcap;
pub mod plan;
pub(crate) mod progress;
pub mod row;
pub(crate) mod runs;
pub mod summary;
pub(crate) mod table;
pub(crate) mod trace;
mod words;

#[cfg(test)]
mod tests;
