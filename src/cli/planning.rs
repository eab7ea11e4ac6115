//! From what was typed to a plan: the file, and `--set`.

use std::path::Path;

use super::args::ChangeArgs;
use super::exit::UsageError;
use super::sweep_file::SweepFile;
use crate::plan::{Limit, Plan, Request, expand};
use crate::spec;
use crate::spec::smoke::SMOKE_SETS;
use crate::spec::sweep::Scale;

/// What the command line changes in a sweep file.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    /// `--set` pairs, as typed.
    pub(super) set: Vec<String>,
    /// Whether `--smoke` is said.
    pub(super) scale: Scale,
}

impl From<&ChangeArgs> for Changes {
    fn from(args: &ChangeArgs) -> Self {
        Self { set: args.set.clone(), scale: args.scale() }
    }
}

/// Returns the plan of a sweep file with its changes. `digests` returns the measured digest
/// of the images at a path, where it is known.
pub(super) fn plan(
    file: &SweepFile,
    changes: &Changes,
    digests: &dyn Fn(&Path) -> Option<String>,
    limit: Limit,
) -> anyhow::Result<Plan> {
    let overrides = changes.set.iter().map(|text| pair(text)).collect::<Result<Vec<_>, _>>()?;
    let sweep = spec::parse(&file.path.display().to_string(), &file.text)?;
    let (sweep, overrides) = match changes.scale {
        Scale::Full => (sweep, overrides),
        Scale::Smoke => {
            refuse_what_smoke_sets(&overrides)?;
            sweep.into_smoke_run(overrides)?
        }
    };
    Ok(expand(&sweep, &Request { overrides: &overrides, digests, limit })?)
}

fn refuse_what_smoke_sets(overrides: &[(String, String)]) -> Result<(), UsageError> {
    match overrides.iter().find(|(key, _)| SMOKE_SETS.contains(&key.as_str())) {
        Some((key, _)) => {
            Err(UsageError(format!("--smoke sets `{key}` itself: leave out `--set {key}=...`")))
        }
        None => Ok(()),
    }
}

fn pair(text: &str) -> Result<(String, String), UsageError> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() && !value.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        Some(_) | None => {
            Err(UsageError(format!("--set takes KEY=VALUE, as in `--set epochs=10`, not `{text}`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_a_key_and_a_value() {
        assert_eq!(pair("epochs = 3").unwrap(), ("epochs".into(), "3".into()));
        assert_eq!(pair("a.b=c=d").unwrap(), ("a.b".into(), "c=d".into()));
        for text in ["epochs", "=3", "epochs="] {
            assert!(pair(text).is_err(), "{text}");
        }
    }
}
