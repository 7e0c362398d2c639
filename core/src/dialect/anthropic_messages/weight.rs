//! What leaving out a field of this protocol means to a provider that has no such field.
//!
//! | field | without it |
//! |---|---|
//! | `container`, `mcp_servers` | another answer: the model's files, skills and tools are missing |
//! | `inference_geo` | an answer from a place where it may not be made |
//! | `thinking` of a later kind | the same: the nearest kind has a canonical name |
//! | `source` of a document made of text blocks | the same: its text has a canonical name |
//! | `eager_input_streaming` | the same, in other pieces |
//! | defaults (`speed: standard`, `defer_loading: false`, `allowed_callers: [direct]`) | the same |
//! | anything else | less than was asked for |

use serde_json::Value;

use crate::dialect::Weight;

/// Where it is kept that the caller gave an effort and said nothing of thinking.
pub(super) const EFFORT_ALONE: &str = "output_config.effort.alone";

/// See [`crate::dialect::Dialect::weight`].
pub(super) fn of(field: &str, value: &Value) -> Weight {
    match field {
        "mcp_servers" if value.as_array().is_some_and(Vec::is_empty) => Weight::Nothing,
        "container" | "mcp_servers" | "inference_geo" => Weight::Essential,
        "thinking" if value.get("type").is_some() => Weight::Nothing,
        "source" | "eager_input_streaming" | EFFORT_ALONE => Weight::Nothing,
        "speed" if value == "standard" => Weight::Nothing,
        "defer_loading" if *value == false => Weight::Nothing,
        "citations" if *value == serde_json::json!({ "enabled": false }) => Weight::Nothing,
        "allowed_callers" if *value == serde_json::json!(["direct"]) => Weight::Nothing,
        _ => Weight::Wish,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers_and_places_cannot_be_left_out() {
        for (field, value, weight) in [
            ("container", json!("container_1"), Weight::Essential),
            ("inference_geo", json!("eu"), Weight::Essential),
            ("mcp_servers", json!([{"type": "url"}]), Weight::Essential),
            ("mcp_servers", json!([]), Weight::Nothing),
            ("speed", json!("fast"), Weight::Wish),
            ("speed", json!("standard"), Weight::Nothing),
            ("thinking", json!({"type": "between_tools"}), Weight::Nothing),
            ("thinking", json!({"tokens_per_minute": 4}), Weight::Wish),
            ("citations", json!({"enabled": true}), Weight::Wish),
            ("citations", json!({"enabled": false}), Weight::Nothing),
            ("context_management", json!({"edits": [1]}), Weight::Wish),
        ] {
            assert_eq!(of(field, &value), weight, "{field}: {value}");
        }
    }
}
