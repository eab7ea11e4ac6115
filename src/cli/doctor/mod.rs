//! `doctor`: checks that this machine can run sweeps, and says what to do where it cannot.

mod checks;

use serde_json::json;

use super::args::{Form, ReaderArgs};
use super::exit::ExitCode;
use super::places::Places;
use super::table::{Align, Table};
use super::{JSON_SCHEMA, json_text};
use crate::ui::Ui;
use crate::ui::style::{Role, Style};

/// What one check found.
#[derive(Debug)]
struct Check {
    what: &'static str,
    health: Health,
    found: String,
}

/// How good that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    /// As it should be.
    Good,
    /// Works, with a drawback.
    Warning,
    /// Sweeps cannot run.
    Bad,
}

pub(super) fn run(args: ReaderArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let checks = checks::all(places);
    ui.print(&match args.form() {
        Form::Text => text(&checks, ui.style()),
        Form::Json => json_text(&json(&checks)),
    })?;
    let sick = checks.iter().any(|check| check.health == Health::Bad);
    Ok(if sick { ExitCode::Internal } else { ExitCode::Success })
}

fn text(checks: &[Check], style: Style) -> String {
    let mut table =
        Table::new(&[("", Align::Left), ("check", Align::Left), ("found", Align::Left)]);
    for check in checks {
        let mark = match check.health {
            Health::Good => style.paint(Role::Good, "ok"),
            Health::Warning => style.paint(Role::Warning, "warning"),
            Health::Bad => style.paint(Role::Bad, "bad"),
        };
        table.push(vec![mark, check.what.to_owned(), check.found.clone()]);
    }
    table.text()
}

fn json(checks: &[Check]) -> serde_json::Value {
    let check = |check: &Check| json!({ "check": check.what, "health": check.health, "found": check.found });
    json!({ "schema": JSON_SCHEMA, "checks": checks.iter().map(check).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_its_line_and_its_health() {
        let check = |what, health, found: &str| Check { what, health, found: found.into() };
        let checks = [
            check("version", Health::Good, "0.1.0"),
            check("worker", Health::Bad, "there is no worker"),
        ];
        let expected =
            "     check    found\nok   version  0.1.0\nbad  worker   there is no worker\n";
        assert_eq!(text(&checks, Style::Plain), expected);
        insta::assert_json_snapshot!("doctor_for_programs", json(&checks));
    }
}
