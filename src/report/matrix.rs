//! Cases by kernels: what each kernel does of the same.

use std::io::{self, Write};

use anstyle::Style;

use super::columns;
use super::row::span;
use super::runs::{self, Varied};
use super::table;
use crate::outcome::{CaseResult, Verdict};

/// Writes a line for each end of each case, with a column for each kernel: what came, and when, over all its runs there. What differs from
/// the first kernel on which anything came is marked `<>`, and what did not pass with its verdict.
///
/// # Errors
/// What writing returns.
pub fn write(out: &mut dyn Write, kernels: &[(&str, &[CaseResult])]) -> io::Result<()> {
    let mut headings = vec!["CASE"];
    headings.extend(kernels.iter().map(|(name, _)| *name));
    let of_kernels: Vec<Vec<&[CaseResult]>> = kernels
        .iter()
        .map(|(_, results)| runs::of_each_case(results).collect())
        .collect();
    let cases = of_kernels.first().map_or(0, Vec::len);
    let rows: Vec<columns::Row> = (0..cases)
        .flat_map(|case| {
            let of_case = of_kernels.iter().filter_map(|cases| cases.get(case));
            rows(&of_case.copied().collect::<Vec<_>>())
        })
        .collect();
    columns::write(out, &headings, &rows)
}

/// The rows of one case, from its runs on each kernel.
fn rows(kernels: &[&[CaseResult]]) -> Vec<columns::Row> {
    let of_kernels: Vec<Vec<Varied>> = kernels.iter().map(|runs| runs::varied(runs)).collect();
    let ends = of_kernels.first().map_or(0, Vec::len);
    (0..ends)
        .map(|end| {
            let mut observed = of_kernels.iter().map(|ends| ends[end].observed.as_str());
            let first = observed
                .find(|observed| !observed.is_empty())
                .unwrap_or_default();
            let mut cells = vec![of_kernels[0][end].case.clone()];
            let mut marked = Vec::new();
            for (ends, results) in of_kernels.iter().zip(kernels) {
                let (text, style) = cell(&ends[end], first, results);
                marked.extend(style.map(|style| (cells.len(), style)));
                cells.push(text);
            }
            columns::Row { cells, marked }
        })
        .collect()
}

/// A difference is to be seen, also where every run has passed.
fn cell(end: &Varied, first: &str, results: &[CaseResult]) -> (String, Option<Style>) {
    let mut words = vec![end.observed.clone()];
    if let (Some(first), Some(last)) = (end.times.first(), end.times.last()) {
        words.push(span(*first, *last));
    }
    let differs = !end.observed.is_empty() && end.observed != first;
    if differs {
        words.push("<>".to_owned());
    }
    let mut style = differs.then_some(table::NOTABLE);
    if let Some((verdict, count)) = runs::worst(results)
        && *verdict != Verdict::Passed
    {
        words.push(runs::word(verdict, count, results.len()));
        style = Some(table::verdict(verdict).1);
    }
    words.retain(|word| !word.is_empty());
    (words.join(" "), style)
}
