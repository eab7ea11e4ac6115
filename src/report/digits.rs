//! Numbers for files: ten digits are more than any of them is known to, and the same on machines
//! whose last digits differ.

use serde_json::Value;

/// Rounds every fraction within a value to ten significant digits.
pub(super) fn rounded(value: Value) -> Value {
    match value {
        Value::Number(ref number) if number.is_f64() => {
            let short =
                number.as_f64().and_then(|number| format!("{number:.9e}").parse::<f64>().ok());
            short.map_or(value, Value::from)
        }
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Object(entries) => {
            entries.into_iter().map(|(name, entry)| (name, rounded(entry))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fractions_lose_what_machines_disagree_on() {
        let value =
            json!({"a": [0.1 + 0.2, -7.320000000000004, 12, null], "b": "0.30000000000000004"});
        let expected = json!({"a": [0.3, -7.32, 12, null], "b": "0.30000000000000004"});
        assert_eq!(rounded(value), expected);
        assert_eq!(rounded(json!(1.23456789012e-7)), json!(1.23456789e-7));
    }
}
