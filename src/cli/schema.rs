//! `harness schema`: the JSON Schemas of what goes in and of what comes out.

use std::io::{self, Write};

use deadpeer::record::Record;
use deadpeer::scenario;

use super::{Exit, complain, unless_unread};

/// What `schema` takes.
#[derive(Debug, clap::Args)]
pub(super) struct SchemaArguments {
    /// Of which file
    #[arg(value_enum)]
    of: Option<Of>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Of {
    /// The result of `harness run --report-json`
    Result,
    /// A scenario, for editors
    Scenario,
}

pub(super) fn schema(arguments: &SchemaArguments) -> anyhow::Result<Exit> {
    let Some(of) = arguments.of else {
        complain(
            "which schema? use `harness schema scenario` (for editors) or `harness schema result` (of the file that \
             `run --report-json` writes)",
        );
        return Ok(Exit::Usage);
    };
    let text = match of {
        Of::Result => serde_json::to_string_pretty(&Record::schema())?,
        Of::Scenario => scenario::SCHEMA.trim_end().to_owned(),
    };
    unless_unread(writeln!(io::stdout(), "{text}"))?;
    Ok(Exit::Passed)
}
