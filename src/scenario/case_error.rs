//! Errors of one case of a file.

use std::ops::Range;

use super::draft::CaseDraft;
use crate::file::Diagnostic;

/// Adds the span of the case to an error that is in a part of the file that all cases share.
pub(super) fn in_case(case: &CaseDraft, span: &Range<usize>, diagnostic: Diagnostic) -> Diagnostic {
    match case.span() {
        Some(header) if span.start < header.start => diagnostic.related(header, "in this case"),
        _ => diagnostic,
    }
}
