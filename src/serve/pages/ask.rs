//! The question before an act, for the script to show, and the buttons that lead to it.

use std::sync::Arc;

use maud::{Markup, html};

use super::super::act::{About, Verb};
use super::super::links;
use super::super::roster::Row;
use crate::ui::words;

/// Trials that a question names one by one.
const NAMED: usize = 6;

/// What is asked.
pub(in super::super) struct Question<'a> {
    pub(in super::super) sweep: &'a str,
    pub(in super::super) verb: Verb,
    pub(in super::super) about: &'a About,
    /// The trials that the verb has something to do with.
    pub(in super::super) rows: &'a [Arc<Row>],
}

impl Question<'_> {
    /// Sets it as a form that only the script sends.
    pub(in super::super) fn markup(&self) -> Markup {
        let Self { sweep, verb, about, rows } = self;
        let is_sweep = about.filter.trim().is_empty() && about.trial.is_empty();
        let is_empty = rows.is_empty();
        html! {
            form method="dialog" data-act=(links::act(sweep)) data-verb=(verb.name())
                data-where=(about.filter) data-trial=(about.trial) data-count=(rows.len()) {
                h2 #ask-title { (title(*verb)) " " (self.whom(is_sweep)) "?" }
                p { (consequence(*verb, is_sweep)) }
                @if !is_sweep || *verb == Verb::Retry {
                    ul.named {
                        @for row in rows.iter().take(NAMED) {
                            li { (row.trial.ordinal) " " (row.cell()) " seed=" (row.trial.run.seed) }
                        }
                        @if rows.len() > NAMED { li.muted { "and " (rows.len() - NAMED) " more" } }
                    }
                }
                p #ask-said role="alert" {}
                div.actions {
                    button type="button" data-close autofocus { "Cancel" }
                    button.(if *verb == Verb::Kill { "danger" } else { "sure" }) type="submit"
                        disabled[is_empty] { (title(*verb)) }
                }
            }
        }
    }

    fn whom(&self, is_sweep: bool) -> String {
        match (is_sweep, self.verb) {
            (true, Verb::Pause | Verb::Resume | Verb::Stop | Verb::Kill) => {
                format!("the run of {}", self.sweep)
            }
            (true, Verb::Retry) | (false, _) => {
                format!("{} of {}", words::plural(self.rows.len(), "trial"), self.sweep)
            }
        }
    }
}

/// Returns the word on a verb's button.
fn title(verb: Verb) -> &'static str {
    match verb {
        Verb::Pause => "Pause",
        Verb::Resume => "Resume",
        Verb::Stop => "Stop",
        Verb::Kill => "Kill",
        Verb::Retry => "Retry",
    }
}

fn consequence(verb: Verb, is_sweep: bool) -> &'static str {
    match (verb, is_sweep) {
        (Verb::Pause, true) => "Nothing more starts; what runs goes on.",
        (Verb::Pause, false) => "They are held back: none starts before it is resumed.",
        (Verb::Resume, true) => "The run goes on with what is left.",
        (Verb::Resume, false) => "They may start again, where they were held.",
        (Verb::Stop, true) => "Its attempts write a checkpoint and stop, and the run ends.",
        (Verb::Stop, false) => {
            "Their attempts write a checkpoint and stop; they are held until they are resumed."
        }
        (Verb::Kill, true) => {
            "Its attempts are killed, and the run ends. What was done since their last checkpoints \
             is lost."
        }
        (Verb::Kill, false) => {
            "Their attempts are killed, and they are held. What was done since their last \
             checkpoints is lost."
        }
        (Verb::Retry, _) => "Their failures no longer count: they are tried again.",
    }
}

/// Sets the buttons of these verbs; only the script shows them, since it must ask.
pub(super) fn buttons(sweep: &str, verbs: &[Verb], about: &About) -> Markup {
    html! {
        div.actions.needs-script {
            @for verb in verbs {
                button type="button" data-ask=(links::act_with(sweep, verb.name(), &about.filter, &about.trial)) {
                    (title(*verb))
                }
            }
        }
    }
}
