//! Cases by kernels: what each kernel does of the same.

use std::io::{self, Write};

use anstyle::Style;

use super::columns;
use super::summary::{self, Row};
use super::table;
use crate::outcome::{CaseResult, Verdict};

/// Writes a line for each end of each case, with a column for each kernel: what came, and when. What differs from the first kernel on
/// which anything came is marked `<>`, and what did not pass with its verdict.
///
/// # Errors
/// What writing returns.
pub fn write(out: &mut dyn Write, kernels: &[(&str, &[CaseResult])]) -> io::Result<()> {
    let mut headings = vec!["CASE"];
    headings.extend(kernels.iter().map(|(name, _)| *name));
    let cases = kernels.first().map_or(0, |(_, results)| results.len());
    let rows: Vec<columns::Row> = (0..cases)
        .flat_map(|case| {
            let of_case: Vec<&CaseResult> = kernels
                .iter()
                .filter_map(|(_, results)| results.get(case))
                .collect();
            rows(&of_case)
        })
        .collect();
    columns::write(out, &headings, &rows)
}

/// The rows of one case, from its result on each kernel.
fn rows(results: &[&CaseResult]) -> Vec<columns::Row> {
    let of_kernels: Vec<Vec<Row>> = results.iter().map(|result| summary::rows(result)).collect();
    let ends = of_kernels.first().map_or(0, Vec::len);
    (0..ends)
        .map(|end| {
            let mut observed = of_kernels.iter().map(|rows| rows[end].observed.as_str());
            let first = observed
                .find(|observed| !observed.is_empty())
                .unwrap_or_default();
            let mut cells = vec![of_kernels[0][end].case.clone()];
            let mut marked = Vec::new();
            for (rows, result) in of_kernels.iter().zip(results) {
                let row = &rows[end];
                let (text, style) = cell(row, first, &result.verdict);
                marked.extend(style.map(|style| (cells.len(), style)));
                cells.push(text);
            }
            columns::Row { cells, marked }
        })
        .collect()
}

fn cell(row: &Row, first: &str, verdict: &Verdict) -> (String, Option<Style>) {
    let (word, style) = table::verdict(verdict);
    let mut words = vec![row.observed.as_str(), row.since_activity.as_str()];
    let differs = !row.observed.is_empty() && row.observed != first;
    if differs {
        words.push("<>");
    }
    let passed = *verdict == Verdict::Passed;
    if !passed {
        words.push(word);
    }
    words.retain(|word| !word.is_empty());
    (words.join(" "), (differs || !passed).then_some(style))
}
