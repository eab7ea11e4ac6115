//! `tag`: names of trials, for people and for filters (`"paper" in tags`).

use serde_json::{Value, json};

use super::exit::ExitCode;
use super::places::Places;
use super::reading::{Reading, block_on};
use super::said::{Said, phrase};
use super::table::{Align, Table};
use super::target::{TagArgs, Target};
use crate::store::Edit;
use crate::store::rows::TrialRow;
use crate::ui::Ui;
use crate::verbs;

pub(super) fn run(args: &TagArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?;
    let (text, more) = if args.add.is_empty() && args.remove.is_empty() {
        (list(&target), json!({ "tags": tags(&target) }))
    } else {
        let (add, remove) = (args.add.clone(), args.remove.clone());
        let count =
            block_on(verbs::edit(&places.state, Edit::Tag { trials: target.keys(), add, remove }))?;
        let changed = [("with", &args.add), ("without", &args.remove)];
        let changed = changed.into_iter().filter(|(_, names)| !names.is_empty());
        let changed: Vec<String> =
            changed.map(|(word, names)| format!("{word} {}", names.join(", "))).collect();
        (format!("{} {}", phrase(&target), changed.join(" and ")), json!({ "count": count }))
    };
    Said { verb: "tag", target: &target, text, more }.tell(args.reader, ui)?;
    Ok(ExitCode::Success)
}

fn of<'t>(target: &'t Target, trial: &TrialRow) -> &'t [String] {
    target.wished.get(&trial.train_key).map_or(&[], |wished| wished.tags.as_slice())
}

fn list(target: &Target) -> String {
    let mut table = Table::new(&[("#", Align::Right), ("key", Align::Left), ("tags", Align::Left)]);
    for trial in target.trials.iter().filter(|trial| !of(target, trial).is_empty()) {
        let tags = of(target, trial).join(" ");
        table.push(vec![trial.ordinal.to_string(), trial.train_key.short().to_owned(), tags]);
    }
    table.text()
}

fn tags(target: &Target) -> Value {
    target.trials.iter().map(|trial| json!(of(target, trial))).collect()
}
