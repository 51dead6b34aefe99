//! The catalogue without what differs from run to run.

use deadpeer::report::catalogue::OBSERVED_ON;

/// The page without these columns of its tables, and without the kernel's name.
pub(crate) fn masked(page: &str, columns: &[&str]) -> String {
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
        // A bar within a cell has a backslash before it.
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
    lines.join("\n")
}

/// The first line that differs.
pub(crate) fn difference(page: &str, other: &str) -> Option<String> {
    let (mut one, mut two) = (page.lines(), other.lines());
    loop {
        match (one.next(), two.next()) {
            (None, None) => return None,
            (left, right) if left == right => {}
            (left, right) => {
                let [left, right] = [left, right].map(|line| line.unwrap_or("(the end)"));
                return Some(format!("stale: run scripts/catalogue\n- {left}\n+ {right}"));
            }
        }
    }
}
