//! `help guarantees`: the crash contract in plain words, each point with the tests that hold it.

use super::exit::ExitCode;
use crate::ui::Ui;

/// What is promised; the README says the same.
pub(super) const TEXT: &str = include_str!("guarantees.txt");

pub(super) fn run(ui: &mut Ui) -> anyhow::Result<ExitCode> {
    ui.print(TEXT)?;
    Ok(ExitCode::Success)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::TEXT;

    /// Returns the text of every source below a folder.
    fn sources(folder: &Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, all);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                all.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    /// Returns the text without its line breaks and the tests.
    fn sentences(text: &str) -> String {
        let said = text.lines().filter(|line| !line.starts_with("     "));
        let words: Vec<&str> = said.flat_map(str::split_whitespace).collect();
        words.join(" ").replace("**", "")
    }

    #[test]
    fn every_test_that_is_named_exists() {
        let mut all = String::new();
        sources(&root().join("src"), &mut all);
        sources(&root().join("tests"), &mut all);
        let named = TEXT.lines().filter_map(|line| line.strip_prefix("     "));
        let mut count = 0;
        for name in named {
            assert!(all.contains(&format!("fn {name}(")), "there is no test {name}");
            count += 1;
        }
        assert!(count >= 12, "{count}");
    }

    #[test]
    fn the_readme_promises_the_same() {
        let readme = sentences(&std::fs::read_to_string(root().join("README.md")).unwrap());
        let text = sentences(TEXT);
        for point in 1..=6 {
            let start = text.find(&format!(" {point}. ")).unwrap() + 1;
            let rest = &text[start..];
            let end = [format!(" {}. ", point + 1), " What people ask".to_owned()];
            let end = end.iter().filter_map(|mark| rest.find(mark.as_str())).min().unwrap();
            assert!(readme.contains(&rest[..end]), "not in the README: {}", &rest[..end]);
        }
    }

    /// The help template of clap takes braces for its own.
    #[test]
    fn the_text_is_its_own_template() {
        assert!(!TEXT.contains(['{', '}']));
    }
}
