//! What the names of an expression mean for one trial: looked up while it is evaluated, and each
//! but once, however often a loop comes by.

use std::sync::OnceLock;

use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use super::subject::Face;
use super::value;

/// A value once it was asked for; none where the trial lacks it.
type Slot = OnceLock<Option<Box<dyn Val>>>;

/// The names of an expression for one face of a trial. An evaluation asks for the whole of
/// `run.target.kind` first, then for its shorter beginnings, and selects the rest from what it got.
pub(super) struct Scope<'n, 's, 't> {
    names: &'n [String],
    values: Vec<Slot>,
    face: Face<'s, 't>,
}

impl<'n, 's, 't> Scope<'n, 's, 't> {
    /// Opens the scope of these names, dotted ones among them.
    pub(super) fn of(names: &'n [String], face: Face<'s, 't>) -> Self {
        Self { names, values: names.iter().map(|_| Slot::new()).collect(), face }
    }
}

impl VariableResolver for Scope<'_, '_, '_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let place = self.names.iter().position(|known| known == name)?;
        let value = self.values[place].get_or_init(|| {
            let path: Vec<&str> = name.split('.').collect();
            value::of(&self.face.get(&path)?).try_into().ok()
        });
        value.as_deref().map(CowVal::Borrowed)
    }
}
