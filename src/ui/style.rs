//! Colours by meaning. Knows nothing of terminals: who makes a [`Style`] has looked at them.

use anstyle::{AnsiColor, Style as Ansi};

/// Whether text carries colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    Plain,
    /// ANSI escape sequences.
    Colored,
}

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Finished well.
    Good,
    /// Failed.
    Bad,
    /// Worth a look.
    Warning,
    /// Going on.
    Busy,
    /// Less important.
    Dim,
    /// A heading.
    Strong,
}

impl Style {
    /// Returns the text with the colour of its meaning.
    pub fn paint(self, role: Role, text: &str) -> String {
        let ansi = match (self, role) {
            (Style::Plain, _) => return text.to_owned(),
            (Style::Colored, Role::Good) => AnsiColor::Green.on_default(),
            (Style::Colored, Role::Bad) => AnsiColor::Red.on_default().bold(),
            (Style::Colored, Role::Warning) => AnsiColor::Yellow.on_default(),
            (Style::Colored, Role::Busy) => AnsiColor::Cyan.on_default(),
            (Style::Colored, Role::Dim) => Ansi::new().dimmed(),
            (Style::Colored, Role::Strong) => Ansi::new().bold(),
        };
        format!("{ansi}{text}{ansi:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_carries_no_escapes_and_coloured_text_ends_its_own() {
        assert_eq!(Style::Plain.paint(Role::Bad, "failed"), "failed");
        let coloured = Style::Colored.paint(Role::Good, "done");
        assert!(coloured.starts_with('\u{1b}') && coloured.ends_with("\u{1b}[0m"), "{coloured:?}");
    }
}
