//! The comparison of two catalogues.

use crate::catalogue::OBSERVED_ON;

/// The first difference of two pages, apart from the name of the kernel and from these columns of
/// the tables.
pub(crate) fn difference(kept: &str, made: &str, columns: &[&str]) -> Option<String> {
    let (kept, made) = (masked(kept, columns), masked(made, columns));
    let (mut kept, mut made) = (kept.iter(), made.iter());
    loop {
        match (kept.next(), made.next()) {
            (None, None) => return None,
            (kept, made) if kept == made => {}
            (kept, made) => {
                let [kept, made] =
                    [kept, made].map(|line| line.map_or("(the end)", String::as_str));
                return Some(format!(
                    "stale: run `cargo xtask catalogue`\n- {kept}\n+ {made}"
                ));
            }
        }
    }
}

/// The lines of the page without the name of the kernel and without these columns.
fn masked(page: &str, columns: &[&str]) -> Vec<String> {
    let mut hidden: Vec<usize> = Vec::new();
    let mut lines = Vec::new();
    for line in page.lines() {
        if line.starts_with(OBSERVED_ON) {
            continue;
        }
        if !line.starts_with('|') {
            lines.push(line.to_owned());
            continue;
        }
        // A bar within a cell is escaped with a backslash.
        let cells: Vec<&str> = line.split(" | ").collect();
        if line.starts_with("| case |") {
            let positions = cells.iter().enumerate();
            hidden = positions
                .filter(|(_, cell)| columns.contains(cell))
                .map(|(position, _)| position)
                .collect();
        }
        let cells = cells.iter().enumerate().map(|(position, &cell)| {
            if hidden.contains(&position) {
                "..."
            } else {
                cell
            }
        });
        lines.push(cells.collect::<Vec<_>>().join(" | "));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "Observed on Linux 7.2.\n\n| case | after | why |\n| one | 1s | rule |";

    #[test]
    fn the_kernel_and_the_named_columns_may_differ() {
        let other = PAGE.replace("7.2", "6.1").replace("1s", "2s");
        assert_eq!(difference(PAGE, &other, &["after"]), None);
        let stale = difference(PAGE, &other, &["why"]).unwrap();
        assert!(
            stale.ends_with("- | one | 1s | rule |\n+ | one | 2s | rule |"),
            "{stale}"
        );
    }

    #[test]
    fn a_missing_line_is_a_difference() {
        let stale = difference(PAGE, &format!("{PAGE}\n| two | 1s | rule |"), &["after"]);
        let stale = stale.unwrap();
        assert!(
            stale.ends_with("- (the end)\n+ | two | ... | rule |"),
            "{stale}"
        );
    }
}
