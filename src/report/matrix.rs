//! The table of cases by kernels, which compares the results of the same cases.

use std::io::{self, Write};

use anstyle::Style;

use super::columns;
use super::row::span;
use super::runs::{self, Varied};
use super::table;
use crate::outcome::{CaseResult, Verdict};

/// Writes a row for each end of each case, with the worst verdict and a column for each kernel. A
/// cell has the observed outcomes and the detection times of all runs on that kernel. `<>` marks an
/// outcome that differs from the first kernel with an outcome, and a cell that did not pass has its
/// verdict. Cases that were skipped on all kernels are left out, and with `only_bad` also the rows
/// that passed on all kernels. No line is longer than `width`.
///
/// # Errors
/// The error of the writer.
pub(crate) fn write(
    out: &mut dyn Write,
    kernels: &[(&str, &[CaseResult])],
    only_bad: bool,
    width: usize,
) -> io::Result<()> {
    let mut headings = vec!["VERDICT", "CASE"];
    headings.extend(kernels.iter().map(|(name, _)| *name));
    let of_kernels: Vec<Vec<&[CaseResult]>> = kernels
        .iter()
        .map(|(_, results)| runs::of_each_case(results).collect())
        .collect();
    let cases = of_kernels.first().map_or(0, Vec::len);
    let rows: Vec<columns::Row> = (0..cases)
        .flat_map(|case| {
            let of_case = of_kernels.iter().filter_map(|cases| cases.get(case));
            rows(&of_case.copied().collect::<Vec<_>>(), only_bad)
        })
        .collect();
    columns::write(out, &headings, &rows, width)
}

/// Returns the rows of one case, from its runs on each kernel.
fn rows(kernels: &[&[CaseResult]], only_bad: bool) -> Vec<columns::Row> {
    if kernels.iter().all(|results| runs::all_skipped(results)) {
        return Vec::new();
    }
    let of_kernels: Vec<Vec<Varied>> = kernels.iter().map(|runs| runs::varied(runs)).collect();
    let ends = of_kernels.first().map_or(0, Vec::len);
    let row = |place: usize| {
        let end = &of_kernels[0][place];
        let results = kernels.iter().copied().flatten();
        let ran = results.filter(|result| !matches!(result.verdict, Verdict::Skipped(_)));
        let (verdict, _) = runs::worst(ran, end.end)?;
        if only_bad && *verdict == Verdict::Passed {
            return None;
        }
        let mut observed = (of_kernels.iter()).map(|ends| ends[place].observed.as_str());
        let first = observed
            .find(|observed| !observed.is_empty())
            .unwrap_or_default();
        let (word, style) = table::verdict(verdict);
        let mut cells = vec![word.to_owned(), end.case.clone()];
        let mut marked = vec![(0, style)];
        for (ends, results) in of_kernels.iter().zip(kernels) {
            let (text, style) = cell(&ends[place], first, results);
            marked.extend(style.map(|style| (cells.len(), style)));
            cells.push(text);
        }
        Some(columns::Row { cells, marked })
    };
    (0..ends).filter_map(row).collect()
}

/// Returns the cell of one kernel, and its style. A difference is marked even if every run passed.
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
    if let Some((verdict, count)) = runs::worst(results.iter(), end.end)
        && *verdict != Verdict::Passed
    {
        words.push(runs::word(verdict, count, results.len()));
        style = Some(table::verdict(verdict).1);
    }
    words.retain(|word| !word.is_empty());
    (words.join(" "), style)
}
