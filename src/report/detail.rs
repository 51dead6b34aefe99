//! All that there is to say of one result.

use std::io::{self, Write};

use anstyle::Style;

use super::{evidence, table, trace};
use crate::outcome::{CaseResult, Verdict};
use crate::text::fit;

/// The timeline and the evidence where they are asked for, and what is wrong with a case that did
/// not pass. `which` names the run where there is more than one. No line but the timeline's is
/// longer than `width`.
///
/// # Errors
/// What writing says.
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
        // Those that were skipped are told together.
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
