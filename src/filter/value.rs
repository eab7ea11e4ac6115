//! JSON as CEL sees it.

use std::collections::HashMap;

use cel::Value;

/// Converts a value. Whole numbers are signed wherever they fit, so that they can be calculated
/// with beside the numbers in an expression.
pub(super) fn of(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => {
            let whole = number.as_i64().map(Value::Int);
            let large = || number.as_u64().map(Value::UInt);
            whole
                .or_else(large)
                .unwrap_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)))
        }
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => Value::from(items.iter().map(of).collect::<Vec<_>>()),
        serde_json::Value::Object(map) => {
            let map: HashMap<String, Value> =
                map.iter().map(|(name, json)| (name.clone(), of(json))).collect();
            Value::from(map)
        }
    }
}
