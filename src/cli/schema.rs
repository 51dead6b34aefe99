//! `harness schema`: the JSON Schemas of what goes in and of what comes out.

use std::io::{self, Write};

use deadpeer::record::Record;
use deadpeer::scenario;

use super::{Exit, unless_unread};

/// What `schema` takes.
#[derive(Debug, clap::Args)]
pub(super) struct SchemaArguments {
    /// Of which file
    #[arg(value_enum)]
    of: Of,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Of {
    /// The result of `harness run --report-json`
    Result,
    /// A scenario, for editors
    Scenario,
}

pub(super) fn schema(arguments: &SchemaArguments) -> anyhow::Result<Exit> {
    let text = match arguments.of {
        Of::Result => serde_json::to_string_pretty(&Record::schema())?,
        Of::Scenario => scenario::SCHEMA.trim_end().to_owned(),
    };
    unless_unread(writeln!(io::stdout(), "{text}"))?;
    Ok(Exit::Passed)
}
