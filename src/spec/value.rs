//! Values of settings in their one canonical form: equal settings are equal values, however they
//! were written. Knows nothing of TOML.

use std::fmt;

use super::error::Site;
use super::keys::{Key, Op};

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(u64),
    /// A finite number; never -0.
    Float(f64),
    /// One of a closed set of words.
    Word(&'static str),
    /// A path or a digest.
    Text(String),
    /// Sizes of layers.
    Sizes(Vec<u32>),
    /// A set of operators, sorted.
    Ops(Vec<Op>),
}

impl Value {
    /// Returns the value as labels keep it.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Word(word) => (*word).into(),
            Value::Text(text) => text.as_str().into(),
            Value::Sizes(sizes) => match sizes.as_slice() {
                [size] => (*size).into(),
                sizes => sizes.into(),
            },
            Value::Ops(ops) => ops.iter().map(|op| op.name()).collect(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value}"),
            Value::Word(word) => write!(f, "\"{word}\""),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Sizes(sizes) => write!(f, "{sizes:?}"),
            Value::Ops(ops) => {
                write!(f, "{:?}", ops.iter().map(|op| op.name()).collect::<Vec<_>>())
            }
        }
    }
}

/// Returns the number rounded to 12 significant digits, as computed axis values are: a value
/// that was computed and one that was written then name the same trial.
pub(crate) fn rounded(value: f64) -> f64 {
    canonical_float(format!("{value:.11e}").parse().unwrap_or(value))
}

/// Returns 0 for -0, and anything else as it is.
pub(crate) fn canonical_float(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value }
}

/// A key with its value, and where both stand.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What is set.
    pub key: Key,
    /// To what.
    pub value: Value,
    /// Where the key stands.
    pub key_site: Site,
    /// Where the value stands.
    pub value_site: Site,
}
