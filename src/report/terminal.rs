//! The report as a terminal shows it: results first, then what one needs to read them.

use super::Report;
use super::table::TableInfo;

/// Columns of a terminal that everybody has.
const ROOM: usize = 100;

/// Returns the text; it ends with a line break.
pub fn text(report: &Report) -> String {
    let tables = report.tables.iter().filter(|table| is_shown(table));
    let notice = report.text.notice.iter().map(|notice| filled("", "", notice) + "\n");
    let mut parts: Vec<String> =
        notice.chain(tables.map(|table| table.to_terminal(ROOM))).collect();
    let notes = report.tables.iter().filter(|table| is_shown(table)).flat_map(|t| &t.footnotes);
    let mut told: Vec<&String> = Vec::new();
    for note in report.text.summary.iter().chain(notes) {
        if !told.contains(&note) {
            told.push(note);
        }
    }
    let notes: String = told.into_iter().map(|note| item(note)).collect();
    parts.push(format!("Notes\n\n{notes}"));
    parts.join("\n")
}

/// Settings are on the page.
fn is_shown(table: &TableInfo) -> bool {
    matches!(table.id, "results" | "reproduction" | "levels" | "missing")
}

/// A note as an item of a list, its lines filled with words.
fn item(note: &str) -> String {
    filled("*", "  ", note) + "\n"
}

/// Words in lines of [`ROOM`], the first after `start`, the others after `indent`.
fn filled(start: &str, indent: &str, words: &str) -> String {
    let mut lines = vec![start.to_owned()];
    for word in words.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line + 1 + word.chars().count() > ROOM && line > indent.len() {
            lines.push(indent.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() && !line.ends_with("  ") {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::{build, samples};
    use super::*;

    #[test]
    fn a_sweep_with_everything_fits_a_terminal() {
        let wide = samples::wide_sweep();
        for gathered in [samples::batch_sweep(), samples::augmentation_sweep(3), wide] {
            let text = text(&build(&gathered).unwrap());
            assert!(text.starts_with("Results: linear top-1\n\n"), "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= ROOM, "{line}");
            }
        }
    }

    #[test]
    fn the_batch_sweep_on_a_terminal() {
        insta::assert_snapshot!(text(&build(&samples::batch_sweep()).unwrap()));
    }

    #[test]
    fn what_collapsed_is_marked_with_how_many_seeds() {
        let gathered = samples::collapsed_sweep();
        let text = text(&build(&gathered).unwrap());
        assert!(text.contains("3, 2 collapsed ‡"), "{text}");
        let note = "‡ collapsed: tau base 0 (2 of 3 seeds). What values they have are counted.";
        assert!(text.contains(note), "{text}");
        assert!(text.contains("All 15 trials have a result; 2 collapsed."), "{text}");
    }

    #[test]
    fn what_failed_and_what_diverged_is_marked_and_listed() {
        let text = text(&build(&samples::wide_sweep()).unwrap());
        let row = |start: &str| text.lines().filter(|line| line.contains(start)).count();
        assert_eq!(row("0 of 1 ¶, 1 failed"), 1, "{text}");
        assert_eq!(row("1, 1 diverged"), 1, "{text}");
        for listed in
            ["failed, out of memory: CUDA out of memory", "diverged; its value is counted"]
        {
            assert_eq!(row(listed), 1, "{text}");
        }
        assert!(text.contains("26 of 28 trials have a result; 1 diverged."), "{text}");
    }

    #[test]
    fn long_notes_go_on_below_their_first_word() {
        let text = item(&"word ".repeat(30));
        assert_eq!(text.lines().count(), 2);
        assert!(text.starts_with("* word ") && text.lines().nth(1).unwrap().starts_with("  word"));
    }
}
