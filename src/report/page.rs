//! The report as one Markdown page.

use super::Report;
use super::table::escaped;

/// Whether the page shows its charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pictures {
    /// By name and this ending, from its own folder.
    Linked(&'static str),
    /// They were not asked for.
    Omitted,
}

/// Returns the page.
pub(super) fn markdown(report: &Report, pictures: Pictures) -> String {
    let text = &report.text;
    let mut page = format!("# {}\n\n", escaped(&text.title));
    for line in text.notice.iter().chain([&text.description]) {
        page += &format!("{}\n\n", escaped(line));
    }
    for sentence in &text.summary {
        page += &format!("- {}\n", escaped(sentence));
    }
    page += "\nMade by\n\n```sh\n";
    for command in &text.commands {
        page += &format!("{}\n", command.replace(char::is_control, " "));
    }
    page += "```\n";
    if let Pictures::Linked(ending) = pictures {
        for heading in report.figures.iter().map(super::Figure::heading) {
            page += &format!("\n## {}\n\n", heading.title);
            page += &format!("![{}]({}.{ending})\n\n", heading.title, heading.file);
            page += &format!("{}\n", escaped(&heading.caption));
        }
    }
    for table in &report.tables {
        page += &format!("\n## {}\n\n{}", escaped(&table.title), table.to_markdown());
    }
    page + "\n" + &report.provenance.comment()
}
