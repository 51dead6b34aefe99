//! The detailed report of one result.

use std::io::{self, Write};

use anstyle::Style;

use super::{evidence, table, trace};
use crate::outcome::{CaseResult, Verdict};
use crate::text::fit;

/// Writes the failure report of a case that did not pass, and if `timeline` is set, the timeline
/// and the evidence of every case that was not skipped or stopped. `which` names the run if there
/// are several. Only lines of the timeline may be longer than `width`.
///
/// # Errors
/// The error of the writer.
pub fn write(
    out: &mut dyn Write,
    timeline: bool,
    which: &str,
    result: &CaseResult,
    width: usize,
) -> io::Result<()> {
    let bold = Style::new().bold();
    let on = if which.is_empty() {
        String::new()
    } else {
        format!("{which}: ")
    };
    match &result.verdict {
        Verdict::Passed if timeline => {
            writeln!(out, "\n{on}{bold}{}{bold:#}", result.prepared.case.id)?;
            trace::write(out, result)?;
            for line in evidence::evidence(result) {
                writeln!(out, "{}", fit(&format!("  {line}"), width))?;
            }
        }
        // `summary::skips` reports all skipped cases together.
        Verdict::Passed | Verdict::Stopped(_) | Verdict::Skipped(_) => {}
        other => {
            let (word, style) = table::verdict(other);
            let text = evidence::failure(result).join("\n");
            let text = format!("{style}{word}{style:#} {on}{text}");
            writeln!(out, "\n{}", fit(&text, width))?;
            if timeline {
                trace::write(out, result)?;
            }
        }
    }
    Ok(())
}
