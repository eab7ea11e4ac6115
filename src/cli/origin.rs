//! What attempts were made with, in the words of `show` and `diff`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ids::AttemptNo;
use crate::protocol::Started;
use crate::store::{InvocationRow, WorkerUse};

/// A fact: its name and its value.
type Fact = (String, String);

/// What is known of how a trial's attempts came about.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    /// The invocation that began each; attempts of earlier versions have none.
    pub invocations: BTreeMap<AttemptNo, InvocationRow>,
    /// What each worker said first.
    pub started: BTreeMap<AttemptNo, Started>,
}

impl Origins {
    /// Returns the facts for people, once for attempts that share all of them.
    pub(super) fn text(&self) -> String {
        let mut groups: Vec<(Vec<String>, Vec<Fact>)> = Vec::new();
        for number in self.numbers() {
            let facts = self.facts(number);
            match groups.iter_mut().find(|(_, known)| *known == facts) {
                Some((numbers, _)) => numbers.push(number.to_string()),
                None => groups.push((vec![number.to_string()], facts)),
            }
        }
        let mut text = String::new();
        for (numbers, facts) in groups {
            let noun = if numbers.len() == 1 { "attempt" } else { "attempts" };
            text.push_str(&format!("{noun} {}\n", numbers.join(", ")));
            let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, value) in facts {
                text.push_str(&format!("  {name:width$}  {value}\n"));
            }
        }
        text
    }

    /// Returns the facts of one attempt: those of its invocation, then what its worker said.
    pub(super) fn facts(&self, number: AttemptNo) -> Vec<Fact> {
        let mut facts = match self.invocations.get(&number) {
            Some(invocation) => {
                let mut facts = invocation.provenance.facts();
                facts.push(("sweep".to_owned(), invocation.sweep.clone()));
                facts
            }
            None => Vec::new(),
        };
        if let Some(started) = self.started.get(&number) {
            facts.push(("ran on".to_owned(), format!("{}, {}", started.device, started.host)));
            let binary = started.binary.as_deref().and_then(|digest| digest.get(..8));
            let binary = binary.map(|digest| format!("{digest} ")).unwrap_or_default();
            let worker = format!("{binary}{}, libtorch {}", started.version, started.libtorch);
            facts.push(("ran by".to_owned(), worker));
            facts.push(("kernels".to_owned(), format!("{:?}", started.kernels).to_lowercase()));
        }
        facts
    }

    fn numbers(&self) -> impl Iterator<Item = AttemptNo> {
        let all: std::collections::BTreeSet<AttemptNo> =
            self.invocations.keys().chain(self.started.keys()).copied().collect();
        all.into_iter()
    }

    /// Adds what is known of an attempt to its document.
    pub(super) fn add_to(&self, number: AttemptNo, document: &mut Value) {
        let invocation = self.invocations.get(&number).map(|row| {
            json!({
                "id": row.id,
                "sweep": row.sweep,
                "at_ms": row.at_ms,
                "provenance": row.provenance,
            })
        });
        document["invocation"] = json!(invocation);
        document["started"] = json!(self.started.get(&number));
    }
}

/// Says that trials come from more than one worker binary; nothing where they do not.
pub(super) fn several_workers(workers: &[WorkerUse]) -> Option<String> {
    if workers.len() < 2 {
        return None;
    }
    let each = workers.iter().map(|used| format!("{} by {}", used.trials, used.worker.words()));
    let each = each.collect::<Vec<_>>().join("; ");
    Some(format!("finished by {} worker binaries: {each}", workers.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::{Provenance, WorkerBinary};

    fn worker(digest: &str, trials: u32) -> WorkerUse {
        WorkerUse { worker: WorkerBinary { digest: digest.into(), about: None }, trials }
    }

    #[test]
    fn several_workers_are_told_and_one_is_nothing_special() {
        assert_eq!(several_workers(&[worker("aaaaaaaaaa", 3)]), None);
        assert_eq!(
            several_workers(&[worker("aaaaaaaaaa", 3), worker("bbbbbbbbbb", 1)]).unwrap(),
            "finished by 2 worker binaries: 3 by aaaaaaaa; 1 by bbbbbbbb"
        );
    }

    #[test]
    fn attempts_that_share_all_facts_are_told_once() {
        let row = |host: &str| InvocationRow {
            id: 1,
            sweep: "tiny".into(),
            at_ms: 0,
            provenance: Provenance { host: host.into(), ..Provenance::default() },
        };
        let rows = [(AttemptNo(1), row("a")), (AttemptNo(2), row("b")), (AttemptNo(3), row("a"))];
        let origins = Origins { invocations: rows.into(), started: BTreeMap::new() };
        insta::assert_snapshot!(origins.text());
    }
}
