//! The output for people: functions of events and results, one file per form.

mod bases;
mod captured;
mod columns;
pub mod detail;
pub mod evidence;
#[cfg(test)]
pub(crate) mod fixture;
pub mod matrix;
pub mod pcap;
pub mod plan;
pub mod progress;
pub mod row;
pub mod runs;
pub mod summary;
pub mod table;
pub mod trace;
mod words;

#[cfg(test)]
mod tests;
