//! `harness schema`: prints the JSON Schema of a scenario file or of a result.

use std::io::{self, Write};

use crate::record::Record;
use crate::scenario;

use super::{Exit, complain, ignore_broken_pipe};

/// The arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct SchemaArguments {
    /// The type of file that the schema describes
    #[arg(value_enum)]
    of: Option<Of>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Of {
    /// The result of `harness run --report-json`
    Result,
    /// A scenario file, for editors
    Scenario,
}

pub(super) fn schema(arguments: &SchemaArguments) -> anyhow::Result<Exit> {
    let Some(of) = arguments.of else {
        complain(
            "no schema is named: use `harness schema scenario` (for editors) or `harness schema result` (the file that \
             `run --report-json` writes)",
        );
        return Ok(Exit::Usage);
    };
    let text = match of {
        Of::Result => serde_json::to_string_pretty(&Record::schema())?,
        Of::Scenario => scenario::SCHEMA.trim_end().to_owned(),
    };
    ignore_broken_pipe(writeln!(io::stdout(), "{text}"))?;
    Ok(Exit::Passed)
}
