//! The report's tables as LaTeX, to be read in by a paper with `\input`. Knows nothing of what the
//! entries mean.

use super::Report;
use super::table::{Align, TableInfo};

/// Rows of a float; a table with more goes on in the next one.
const MOST_ROWS: usize = 40;
/// Characters from which on a column of words is set in lines.
const WIDE: usize = 44;
/// Width of such a column.
const LINES: &str = r">{\raggedright\arraybackslash}p{0.45\linewidth}";
/// Sets a table in its own size, or as wide as the text where it is wider.
const FIT: &str = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%";

/// Returns all tables, a float each.
pub(super) fn page(report: &Report) -> String {
    let mut text = String::new();
    for (name, entry) in report.provenance.entries() {
        text += &format!("% {name}: {entry}\n");
    }
    text += "% The preamble needs \\usepackage{array,booktabs,graphicx}.\n";
    for table in &report.tables {
        text += &floats(table, &label(&report.text.title, table.id));
    }
    text
}

/// A label that LaTeX takes as it is.
fn label(sweep: &str, table: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("tab:{}-{table}", sweep.chars().map(plain).collect::<String>())
}

fn floats(table: &TableInfo, label: &str) -> String {
    let parts = table.rows.chunks(MOST_ROWS);
    let last = parts.len().saturating_sub(1);
    let mut text = String::new();
    for (place, rows) in parts.enumerate() {
        let caption = escaped(&table.title);
        text += "\n\\begin{table}[htbp]\n\\centering\\small\n";
        text += &match place {
            0 => format!("\\caption{{{caption}.}}\n\\label{{{label}}}\n"),
            _ => format!("\\addtocounter{{table}}{{-1}}\n\\caption{{{caption}, continued.}}\n"),
        };
        text += &body(table, rows);
        if place == last {
            text += &notes(&table.footnotes);
        }
        text += "\\end{table}\n";
    }
    text
}

fn body(table: &TableInfo, rows: &[Vec<String>]) -> String {
    let columns: String = (0..table.columns.len()).map(|at| column(table, at)).collect();
    let heading = (0..table.columns.len()).map(|at| heading(table, at));
    let mut text = format!("{FIT}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n");
    text += &row(heading);
    text += "\\midrule\n";
    for entries in rows {
        text += &row(entries.iter().map(|entry| escaped(entry)));
    }
    text + "\\bottomrule\n\\end{tabular}}\n"
}

fn column(table: &TableInfo, at: usize) -> &'static str {
    match table.columns[at].align {
        Align::Right => "r",
        Align::Left if table.rows.iter().any(|row| row[at].chars().count() > WIDE) => LINES,
        Align::Left => "l",
    }
}

/// The name of a column, in two lines where it is wider than what stands below it.
fn heading(table: &TableInfo, at: usize) -> String {
    let side = match table.columns[at].align {
        Align::Left => "l",
        Align::Right => "r",
    };
    let name = table.heading(at);
    match name.split_once('\n') {
        Some((first, second)) => format!(
            "\\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{}\\\\{}\\end{{tabular}}",
            escaped(first),
            escaped(second)
        ),
        None => escaped(&name),
    }
}

fn row(entries: impl Iterator<Item = String>) -> String {
    format!("{} \\\\\n", entries.collect::<Vec<_>>().join(" & "))
}

fn notes(notes: &[String]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let lines: String = notes.iter().map(|note| format!("{}\\par\n", escaped(note))).collect();
    format!(
        "\\par\\medskip\n\\begin{{minipage}}{{\\linewidth}}\\footnotesize\\raggedright\n{lines}\\end{{minipage}}\n"
    )
}

/// Returns text that LaTeX sets as it reads, whatever it holds.
fn escaped(text: &str) -> String {
    let mut set = String::with_capacity(text.len());
    let mut before = ' ';
    for character in text.chars() {
        match character {
            // A space in a number with its unit is narrow and never breaks.
            '%' if before == ' ' && !set.is_empty() => {
                set.pop();
                set += "\\,\\%";
            }
            // Two hyphens would become a dash.
            '-' if before == '-' => set += "{}-",
            '\'' if before == '\'' => set += "{}'",
            character => push(character, &mut set),
        }
        before = character;
    }
    set
}

fn push(character: char, set: &mut String) {
    let command = match character {
        '\\' => r"\textbackslash{}",
        '{' => r"\{",
        '}' => r"\}",
        '$' => r"\$",
        '&' => r"\&",
        '#' => r"\#",
        '_' => r"\_",
        '%' => r"\%",
        '^' => r"\textasciicircum{}",
        '~' => r"\textasciitilde{}",
        '<' => r"\textless{}",
        '>' => r"\textgreater{}",
        '|' => r"\textbar{}",
        '"' => "''",
        '`' => r"\textasciigrave{}",
        // After the end of a row these two would be taken for its options.
        '[' => "{[}",
        '*' => "{*}",
        '−' => "$-$",
        '±' => r"$\pm$",
        '×' => r"$\times$",
        '·' => r"$\cdot$",
        '≤' => r"$\leq$",
        '≥' => r"$\geq$",
        '≈' => r"$\approx$",
        '→' => r"$\rightarrow$",
        'τ' => r"$\tau$",
        'σ' => r"$\sigma$",
        'µ' | 'μ' => r"$\mu$",
        '–' => "--",
        '—' => "---",
        '“' => "``",
        '”' => "''",
        '‘' => "`",
        '’' => "'",
        '…' => r"\ldots{}",
        '†' => r"\dag{}",
        '‡' => r"\ddag{}",
        '§' => r"\S{}",
        '¶' => r"\P{}",
        '\u{a0}' => "~",
        control if control.is_control() => " ",
        plain if plain.is_ascii() || is_known(plain) => {
            set.push(plain);
            return;
        }
        // pdflatex would stop at it.
        other => {
            *set += &format!("U+{:04X}", u32::from(other));
            return;
        }
    };
    *set += command;
}

/// Whether every LaTeX of this decade sets the letter in its usual encoding.
fn is_known(letter: char) -> bool {
    let western = ('À'..='ÿ').contains(&letter) && !"ÐðÞþ×÷".contains(letter);
    western || "ĀāĂăĆćČčĎďĒēĚěĞğĪīİıŁłŃńŇňŌōŐőŒœŘřŚśŞşŠšŤťŪūŮůŰűŹźŻżŽž".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::super::table::Column;
    use super::super::{build, samples};
    use super::*;

    #[test]
    fn a_table_is_set_with_booktabs_rules_and_its_notes() {
        let table = TableInfo {
            id: "sample",
            title: "A sample of 95 %".to_owned(),
            columns: vec![Column::words("arm"), Column::numbers("95 % interval")],
            rows: vec![
                vec!["crop & flip".to_owned(), "[−1.0, 2]".to_owned()],
                vec!["*".to_owned(), "3 ± 1".to_owned()],
            ],
            footnotes: vec!["p < 0.05 ¶".to_owned()],
        };
        insta::assert_snapshot!(floats(&table, "tab:a-sample"), @r"
        \begin{table}[htbp]
        \centering\small
        \caption{A sample of 95\,\%.}
        \label{tab:a-sample}
        \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%
        \begin{tabular}{lr}
        \toprule
        arm & \begin{tabular}[b]{@{}r@{}}95\,\%\\interval\end{tabular} \\
        \midrule
        crop \& flip & {[}$-$1.0, 2] \\
        {*} & 3 $\pm$ 1 \\
        \bottomrule
        \end{tabular}}
        \par\medskip
        \begin{minipage}{\linewidth}\footnotesize\raggedright
        p \textless{} 0.05 \P{}\par
        \end{minipage}
        \end{table}
        ");
    }

    #[test]
    fn a_long_table_goes_on_and_keeps_its_number() {
        let rows = (0..MOST_ROWS + 1).map(|at| vec![at.to_string()]).collect();
        let table = TableInfo {
            id: "long",
            title: "Long".to_owned(),
            columns: vec![Column::numbers("n")],
            rows,
            footnotes: vec!["the note".to_owned()],
        };
        let text = floats(&table, "tab:long");
        assert_eq!(text.matches("\\begin{table}").count(), 2);
        assert_eq!(text.matches("\\label").count(), 1);
        assert!(text.contains("\\addtocounter{table}{-1}\n\\caption{Long, continued.}"), "{text}");
        assert_eq!(text.matches("the note").count(), 1);
    }

    #[test]
    fn nothing_that_a_person_may_type_is_read_as_a_command() {
        assert_eq!(escaped(r"\input{a_b}"), r"\textbackslash{}input\{a\_b\}");
        assert_eq!(
            escaped("100 % of $5 & #1 ^~"),
            r"100\,\% of \$5 \& \#1 \textasciicircum{}\textasciitilde{}"
        );
        assert_eq!(
            escaped("[a]*--x <b> `c` \"d\"\n"),
            r"{[}a]{*}-{}-x \textless{}b\textgreater{} \textasciigrave{}c\textasciigrave{} ''d'' "
        );
        assert_eq!(escaped("Zürich, Łódź"), "Zürich, Łódź");
        assert_eq!(escaped("批"), "U+6279");
    }

    #[test]
    fn the_page_says_where_it_comes_from_before_its_tables() {
        let mut gathered = samples::batch_sweep();
        gathered.sweep.name = "a b\n\\evil".to_owned();
        let report = build(&gathered).unwrap();
        let page = page(&report);
        let comments = page.lines().take_while(|line| line.starts_with("% ")).count();
        assert_eq!(comments, report.provenance.entries().len() + 1);
        assert_eq!(page.matches("\\begin{table}").count(), report.tables.len());
        assert!(page.contains("\\label{tab:a-b--evil-results}"), "{page}");
        assert!(page.lines().all(|line| line.starts_with('%') || !line.contains("\\evil")));
    }
}
