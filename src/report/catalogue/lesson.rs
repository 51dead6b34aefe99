//! What a file says before it begins: its comment.

/// The comment at the head of a scenario file, a paragraph for each run of lines with text.
pub(super) fn paragraphs(text: &str) -> Vec<String> {
    let comment = text
        .lines()
        .take_while(|line| line.starts_with('#'))
        .filter(|line| !line.starts_with("#:"))
        .map(|line| line.trim_start_matches('#').trim());
    let lines: Vec<&str> = comment.collect();
    lines
        .split(|line| line.is_empty())
        .map(|paragraph| paragraph.join(" "))
        .filter(|paragraph| !paragraph.is_empty())
        .collect()
}
