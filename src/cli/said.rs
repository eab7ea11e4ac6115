//! What a verb that acts tells of it: one line for people, one document for programs.

use serde_json::{Value, json};

use super::args::{Form, ReaderArgs};
use super::target::Target;
use super::{JSON_SCHEMA, json_text};
use crate::ui::{Ui, words};

/// What was done.
pub(super) struct Said<'a> {
    /// The verb.
    pub(super) verb: &'static str,
    /// What it was about.
    pub(super) target: &'a Target,
    /// One line for people.
    pub(super) text: String,
    /// What only this verb tells, for programs.
    pub(super) more: Value,
}

impl Said<'_> {
    /// Tells it.
    pub(super) fn tell(self, reader: ReaderArgs, ui: &mut Ui) -> anyhow::Result<()> {
        let text = match reader.form() {
            Form::Text => self.text,
            Form::Json => json_text(&self.document()),
        };
        Ok(ui.print(&text)?)
    }

    fn document(self) -> Value {
        let numbers: Vec<u32> = self.target.trials.iter().map(|trial| trial.ordinal).collect();
        let mut document = json!({
            "schema": JSON_SCHEMA,
            "verb": self.verb,
            "sweep": self.target.sweep.name,
            "trials": numbers,
        });
        if let (Value::Object(document), Value::Object(more)) = (&mut document, self.more) {
            document.extend(more);
        }
        document
    }
}

/// Returns `trial 3 of tiny`, or `4 trials of tiny`.
pub(super) fn phrase(target: &Target) -> String {
    let name = &target.sweep.name;
    match target.trials.as_slice() {
        [one] => format!("trial {} of {name}", one.ordinal),
        many => format!("{} of {name}", words::plural(many.len(), "trial")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::samples;
    use super::super::target::Scope;
    use super::*;

    #[test]
    fn programs_are_told_the_verb_its_trials_and_what_only_it_tells() {
        let mut trials = samples::trials();
        trials.truncate(2);
        let sweep = samples::sweep();
        let target = Target { sweep, scope: Scope::Sweep, trials, wished: HashMap::new() };
        let more = json!({ "held": 2 });
        let said = Said { verb: "pause", target: &target, text: String::new(), more };
        insta::assert_json_snapshot!(said.document());
    }
}
