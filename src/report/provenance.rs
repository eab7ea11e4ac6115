//! What a report's files say of where they come from: enough to make them again, and to tell
//! whether they still follow from the rows. No time of day: the same rows give the same bytes.

use serde_json::{Value, json};

use super::gathered::Gathered;
use crate::ids::TrainKey;

/// Where the figures and tables of a report come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Name of the sweep.
    pub sweep: String,
    /// What one types to draw the report from the store.
    pub command: String,
    /// The trials, in the order of the plan.
    pub trials: Vec<TrainKey>,
    /// Version of byol-sweep that read the rows from the store, where they say.
    pub version: Option<String>,
    /// BLAKE3 of the rows as `rows.jsonl` holds them, 64 digits.
    pub rows: String,
}

impl Provenance {
    /// Takes the rows, and the text that [`Gathered::to_jsonl`] gave.
    pub(super) fn of(gathered: &Gathered, rows: &str, command: String) -> Self {
        Self {
            sweep: gathered.sweep.name.clone(),
            command,
            trials: gathered.trials.iter().map(|trial| trial.train_key.clone()).collect(),
            version: gathered.sweep.version.clone(),
            rows: blake3::hash(rows.as_bytes()).to_hex().to_string(),
        }
    }

    /// Returns what a comment or a picture carries, one line each. The keys of the trials are told
    /// by number and digest: `results.json` lists them.
    pub fn entries(&self) -> Vec<(&'static str, String)> {
        let keys: Vec<&str> = self.trials.iter().map(TrainKey::as_str).collect();
        let digest = blake3::hash(keys.join("\n").as_bytes()).to_hex();
        let mut entries = vec![
            ("Sweep", one_line(&self.sweep)),
            ("Command", one_line(&self.command)),
            ("Trials", format!("{}, BLAKE3 of their keys {digest}", keys.len())),
            ("Rows", format!("BLAKE3 {}", self.rows)),
        ];
        if let Some(version) = &self.version {
            entries.insert(0, ("Software", format!("byol-sweep {}", one_line(version))));
        }
        entries
    }

    /// Returns a comment for pages of HTML and Markdown, which it cannot end.
    pub(super) fn comment(&self) -> String {
        let mut text = "<!--\n".to_owned();
        for (name, entry) in self.entries() {
            text += &format!("{name}: {}\n", entry.replace('<', "&lt;").replace('>', "&gt;"));
        }
        text + "-->\n"
    }

    /// Returns a drawing that carries it as metadata, below what it says of itself.
    pub(super) fn within_svg(&self, svg: &str) -> String {
        const ABOVE: &str = "</desc>\n";
        let lines: String =
            self.entries().into_iter().map(|(name, entry)| format!("{name}: {entry}\n")).collect();
        let lines = lines.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        svg.replacen(ABOVE, &format!("{ABOVE}<metadata>\n{lines}</metadata>\n"), 1)
    }

    /// Returns all of it for programs.
    pub(super) fn to_json(&self) -> Value {
        let mut document = json!({
            "sweep": self.sweep,
            "command": self.command,
            "rows_blake3": self.rows,
            "trials": self.trials.iter().map(TrainKey::as_str).collect::<Vec<_>>(),
        });
        if let Some(version) = &self.version {
            document["version"] = json!(version);
        }
        document
    }
}

/// A name that people chose must not end a comment's line.
fn one_line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::{build, samples};

    #[test]
    fn entries_name_sweep_command_trials_version_and_rows() {
        let mut gathered = samples::tau_sweep();
        gathered.sweep.version = Some("0.1.0".to_owned());
        let provenance = build(&gathered).unwrap().provenance;
        let digest = blake3::hash(gathered.to_jsonl().as_bytes()).to_hex();
        let entries = provenance.entries();
        let get = |name| &entries.iter().find(|(entry, _)| *entry == name).unwrap().1;
        assert_eq!(get("Sweep"), "cifar10-tau");
        assert_eq!(get("Software"), "byol-sweep 0.1.0");
        assert_eq!(get("Command"), "byol-sweep report cifar10-tau");
        assert!(get("Trials").starts_with("15, "));
        assert_eq!(get("Rows"), &format!("BLAKE3 {digest}"));
        assert_eq!(provenance.to_json()["trials"].as_array().unwrap().len(), 15);
    }

    #[test]
    fn a_name_cannot_end_its_comment() {
        let mut gathered = samples::tau_sweep();
        gathered.sweep.name = "x --> <script> --!>".to_owned();
        let comment = build(&gathered).unwrap().provenance.comment();
        assert_eq!(comment.matches('>').count(), 1, "{comment}");
        assert!(comment.ends_with("\n-->\n"));
    }

    #[test]
    fn every_entry_is_one_line() {
        let mut gathered = samples::tau_sweep();
        gathered.sweep.name = "tau\n\\input{x}\r\u{85}".to_owned();
        let entries = build(&gathered).unwrap().provenance.entries();
        assert!(entries.iter().all(|(_, text)| !text.contains(char::is_control)), "{entries:?}");
    }
}
