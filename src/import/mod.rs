//! Other people's results, to be set beside ours: rows of a CSV file, each a value of a metric of a
//! cell. They are kept as files in the state folder, beside the store and not in it: importing needs
//! no lock and waits for no run. Knows nothing of our own results.

mod error;
mod keep;
mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use error::ImportError;
pub use keep::{Existing, imported, keep};
pub use read::read;

use crate::plan::{Label, value_text};

/// A value that somebody else measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// What the import is called: one name for all rows of a file.
    pub import: String,
    /// The arm that it is of, where it names one.
    pub arm: Option<String>,
    /// Settings to their values, as people write them: `64`, `byol`, `blur+flip`, `none`.
    pub settings: BTreeMap<String, String>,
    /// Name of the metric: `linear_top1`.
    pub metric: String,
    /// Its value; accuracies are fractions.
    pub value: f64,
    /// How far values scatter, in the unit of the value; what it is, the source says.
    pub spread: Option<f64>,
    /// Runs that it is a mean of.
    pub n: Option<u32>,
    /// Where it comes from: a citation, an address.
    pub source: Option<String>,
}

impl Imported {
    /// Returns whether it is of the cell with this label: the arm is the same, and so is every
    /// setting that the row names.
    pub fn is_of(&self, label: &Label) -> bool {
        let same_arm = self.arm.is_none() || self.arm == label.arm;
        let mut settings = self.settings.iter();
        same_arm && settings.all(|(key, text)| label.axes.get(key).is_some_and(|v| same(text, v)))
    }
}

/// Returns whether a text is how people write a value: `0.10` is 0.1, `none` is an empty list.
fn same(text: &str, value: &Value) -> bool {
    match (text.parse::<f64>(), value.as_f64()) {
        (Ok(written), Some(number)) => written == number,
        (Ok(_) | Err(_), Some(_) | None) => text == value_text(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_of_the_cells_that_have_all_it_names() {
        let label = Label {
            arm: Some("baseline".into()),
            published: None,
            axes: [
                ("batch_size".to_owned(), json!(64)),
                ("augment.remove".to_owned(), json!([])),
                ("tau_base".to_owned(), json!(0.9)),
            ]
            .into(),
        };
        let row = |arm: Option<&str>, settings: &[(&str, &str)]| Imported {
            import: "theirs".into(),
            arm: arm.map(str::to_owned),
            settings: settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            metric: "linear_top1".into(),
            value: 0.5,
            spread: None,
            n: None,
            source: None,
        };
        assert!(row(None, &[("batch_size", "64")]).is_of(&label));
        assert!(row(Some("baseline"), &[("augment.remove", "none")]).is_of(&label));
        assert!(row(None, &[("tau_base", "0.90"), ("batch_size", "64.0")]).is_of(&label));
        assert!(!row(None, &[("batch_size", "128")]).is_of(&label));
        assert!(!row(Some("crop only"), &[]).is_of(&label));
        assert!(!row(None, &[("epochs", "100")]).is_of(&label), "the cell does not say its epochs");
    }
}
