//! An error or warning about a scenario file, and its rendering: position, source line, underline,
//! help.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::text::{controls, plural, printable};

/// The maximum number of errors or warnings that are shown for one file.
pub(crate) const MOST_SHOWN: usize = 20;

/// The severity of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The file cannot be run.
    Error,
    /// The file can be run, but probably does not do what its author means.
    Warning,
}

/// An error or a warning about a file.
///
/// Spans are byte ranges in the file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub(crate) severity: Severity,
    /// The problem, in one line.
    pub message: String,
    /// The text that is underlined; `None` if the diagnostic is about the file as a whole.
    pub(crate) span: Option<Range<usize>>,
    /// The label beside the underlined text.
    pub(crate) label: Option<String>,
    /// The spans of related text, each with its label.
    pub(crate) related: Vec<(Range<usize>, String)>,
    /// What the author can write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a span, or about the file as a whole.
    pub(crate) fn new(span: impl Into<Option<Range<usize>>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            span: span.into(),
            label: None,
            related: Vec::new(),
            help: None,
        }
    }

    /// Turns the error into a warning.
    #[must_use]
    pub(crate) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Sets the label beside the underlined text.
    #[must_use]
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds the span of related text.
    #[must_use]
    pub(crate) fn related(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// Sets the help.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the help, or removes it.
    #[must_use]
    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// The errors, or the warnings, of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiagnostics {
    /// The file.
    pub path: PathBuf,
    /// The text of the file, for rendering.
    pub text: String,
    /// At least one.
    pub diagnostics: Vec<Diagnostic>,
}

impl FileDiagnostics {
    /// Renders the first 20 diagnostics over several lines each, and then the number of the others.
    /// An empty line separates them; there is no line break at the end.
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

/// Renders a diagnostic over several lines, without a line break at the end. `text` is the text of
/// the file.
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

/// Replaces characters that control a terminal by characters of the same length in UTF-8, so that
/// the spans stay valid. Control characters of one byte stay: the renderer replaces them by
/// symbols.
fn in_place(text: &str) -> String {
    let shown = text.chars().map(|c| match (controls(c), c.len_utf8()) {
        (true, 2) => '·',
        (true, 3) => '\u{fffd}',
        _ => c,
    });
    shown.collect()
}

/// Renders an error that has no position in a text, in the same layout.
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
