//! One error or warning about a scenario file, and how it looks to a person: place, source line,
//! underline, what to do.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::text::{controls, plural, printable};

/// The most errors or warnings of one file that a person is shown.
pub(crate) const MOST_SHOWN: usize = 20;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be run.
    Error,
    /// It can, but is probably not what its author means.
    Warning,
}

/// One thing that is wrong with a file.
///
/// Spans are byte ranges in the file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where; `None` where the file as a whole is meant.
    pub span: Option<Range<usize>>,
    /// What to write beside the underlined text.
    pub label: Option<String>,
    /// Other places that have to do with it, and what each of them is.
    pub related: Vec<(Range<usize>, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place, or in the file as a whole.
    pub fn new(span: impl Into<Option<Range<usize>>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            span: span.into(),
            label: None,
            related: Vec::new(),
            help: None,
        }
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Adds what to write beside the underlined text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn related(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what to do, if there is anything to say.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// Everything that is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiagnostics {
    /// The file.
    pub path: PathBuf,
    /// What it says, for rendering.
    pub text: String,
    /// At least one.
    pub diagnostics: Vec<Diagnostic>,
}

impl FileDiagnostics {
    /// Each over several lines, an empty line between each two, without a line break at the end:
    /// the first 20, and the number of the others.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let shown = self.diagnostics.len().min(MOST_SHOWN);
        let (shown, others) = self.diagnostics.split_at(shown);
        let mut rendered: Vec<String> = shown
            .iter()
            .map(|diagnostic| render(&self.path, &self.text, diagnostic, color))
            .collect();
        if let Some(first) = others.first() {
            let (level, noun) = match first.severity {
                Severity::Error => (Level::ERROR, "error"),
                Severity::Warning => (Level::WARNING, "warning"),
            };
            let path = self.path.display();
            let others = plural(others.len(), &format!("more {noun}"));
            let title = level.primary_title(format!("{path} has {others}"));
            rendered.push(renderer(color).render(&[Group::with_title(title)]));
        }
        rendered.join("\n\n")
    }
}

/// The diagnostic as text over several lines, without a line break at the end; `text` is the file
/// that it is about.
#[must_use]
pub fn render(path: &Path, text: &str, diagnostic: &Diagnostic, color: bool) -> String {
    let path = path.to_string_lossy();
    let (path, text) = (printable(&path), in_place(text));
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(printable(&diagnostic.message));
    let mut group = match &diagnostic.span {
        Some(span) => title.element(snippet(&path, &text, span, diagnostic)),
        None => Group::with_title(title).element(Origin::path(path.as_ref())),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    renderer(color).render(&[group])
}

/// The text without what controls a terminal, and as long: spans still hold. What has one byte the
/// renderer shows as a picture of it.
fn in_place(text: &str) -> String {
    let shown = text.chars().map(|c| match (controls(c), c.len_utf8()) {
        (true, 2) => '·',
        (true, 3) => '\u{fffd}',
        _ => c,
    });
    shown.collect()
}

/// An error without a place in a text, in the same dress.
pub(crate) fn render_message(message: &str, color: bool) -> String {
    let title = Level::ERROR.primary_title(printable(message));
    renderer(color).render(&[Group::with_title(title)])
}

fn renderer(color: bool) -> Renderer {
    if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
}

fn snippet<'a>(
    path: &'a str,
    text: &'a str,
    span: &Range<usize>,
    diagnostic: &'a Diagnostic,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let primary = AnnotationKind::Primary
        .span(span.clone())
        .label(diagnostic.label.as_deref().map(printable));
    let related = diagnostic.related.iter().map(|(span, label)| {
        AnnotationKind::Context
            .span(span.clone())
            .label(printable(label))
    });
    Snippet::source(text)
        .path(path)
        .annotation(primary)
        .annotations(related)
}

#[cfg(test)]
mod tests {
    use super::{Diagnostic, FileDiagnostics};
    use super::{controls, render};
    use std::path::Path;

    #[test]
    fn names_file_line_and_column() {
        let diagnostic = Diagnostic::new(4..7, "no such thing").help("remove it");
        let text = render(Path::new("a.toml"), "a\nb foo\n", &diagnostic, false);
        assert!(text.contains("a.toml:2:3"), "{text}");
        assert!(text.contains("help: remove it"), "{text}");
    }

    #[test]
    fn color_is_only_used_when_asked_for() {
        let diagnostic = Diagnostic::new(0..1, "no such thing");
        let path = Path::new("a.toml");
        assert!(!render(path, "a", &diagnostic, false).contains('\x1b'));
        assert!(render(path, "a", &diagnostic, true).contains('\x1b'));
    }

    #[test]
    fn nothing_in_a_file_controls_the_terminal() {
        let hostile = "\u{1b}[2J\u{9b}\u{202e}\u{200f}\u{61c}\r";
        let diagnostic = Diagnostic::new(0..hostile.len(), hostile)
            .label(hostile)
            .related(0..1, hostile)
            .help(hostile);
        let path = format!("{hostile}.toml");
        let shown = render(Path::new(&path), hostile, &diagnostic, false);
        assert!(!shown.contains(controls), "{shown:?}");
        let shown = super::render_message(hostile, false);
        assert!(!shown.contains(controls), "{shown:?}");
    }

    #[test]
    fn of_many_errors_the_first_are_shown_and_the_others_counted() {
        let wrong = |count| FileDiagnostics {
            path: "a.toml".into(),
            text: "a".to_owned(),
            diagnostics: vec![Diagnostic::new(0..1, "no such thing"); count],
        };
        let shown = |count| wrong(count).render(false).matches("no such thing").count();
        assert_eq!([shown(20), shown(21)], [20, 20]);
        let rendered = wrong(22).render(false);
        assert!(
            rendered.ends_with("\n\nerror: a.toml has 2 more errors"),
            "{rendered}"
        );
        let mut warnings = wrong(21);
        warnings
            .diagnostics
            .iter_mut()
            .for_each(|d| *d = d.clone().warning());
        let rendered = warnings.render(false);
        assert!(
            rendered.ends_with("\n\nwarning: a.toml has 1 more warning"),
            "{rendered}"
        );
    }

    #[test]
    fn a_place_at_the_end_of_the_text_is_rendered() {
        let diagnostic = Diagnostic::new(2..2, "ends too early");
        let text = render(Path::new("a.toml"), "a\n", &diagnostic, false);
        assert!(text.contains("ends too early"), "{text}");
    }
}
