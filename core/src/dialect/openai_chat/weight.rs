//! What leaving out a field of this protocol means to a provider that has no such field.
//!
//! | field | without it |
//! |---|---|
//! | `modalities` beyond text | another answer: no sound |
//! | `web_search_options` | another answer: nothing was looked up |
//! | `moderation` that blocks | an answer that should have been withheld |
//! | a message's `audio` | a turn of the conversation is missing: it is kept at OpenAI |
//! | defaults (`store: false`, `verbosity: medium`) | the same |
//! | `prompt_cache_breakpoint` | the same: it has a canonical name, [`crate::chat::CacheControl`] |
//! | anything else | less than was asked for |

use serde_json::Value;

use super::encoding::BREAKPOINT;
use crate::dialect::Weight;

/// Where the name under which the caller gave the end user's id is kept.
pub(super) const USER_FIELD: &str = "user.field";

/// Where it is kept that the caller declared legacy `functions`, so that it is answered with a `function_call`.
pub(super) const FUNCTIONS: &str = "functions.only";

/// See [`crate::dialect::Dialect::weight`].
pub(super) fn of(field: &str, value: &Value) -> Weight {
    let blocks = |side: &str| value.pointer(&format!("/policy/{side}/mode")).and_then(Value::as_str) == Some("block");
    match field {
        "modalities" if value.as_array().is_some_and(|kinds| kinds.iter().all(|kind| kind == "text")) => Weight::Nothing,
        "modalities" | "web_search_options" => Weight::Essential,
        "moderation" if blocks("input") || blocks("output") => Weight::Essential,
        "audio" if value.get("id").is_some() => Weight::Essential,
        "store" if *value == false => Weight::Nothing,
        "verbosity" if value == "medium" => Weight::Nothing,
        "stream_options" if *value == serde_json::json!({ "include_obfuscation": false }) => Weight::Nothing,
        BREAKPOINT | USER_FIELD | FUNCTIONS => Weight::Nothing,
        _ => Weight::Wish,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sound_searches_and_stored_turns_cannot_be_left_out() {
        for (field, value, weight) in [
            ("modalities", json!(["text"]), Weight::Nothing),
            ("modalities", json!(["text", "audio"]), Weight::Essential),
            // Its mere presence switches the search on.
            ("web_search_options", json!({}), Weight::Essential),
            ("moderation", json!({"model": "m", "policy": {"output": {"mode": "block"}}}), Weight::Essential),
            ("moderation", json!({"model": "m", "policy": {"output": {"mode": "score"}}}), Weight::Wish),
            ("audio", json!({"id": "audio_1"}), Weight::Essential),
            ("audio", json!({"format": "wav", "voice": "ash"}), Weight::Wish),
            ("store", json!(false), Weight::Nothing),
            ("store", json!(true), Weight::Wish),
            ("stream_options", json!({"include_obfuscation": false}), Weight::Nothing),
            ("logit_bias", json!({"50256": -100}), Weight::Wish),
        ] {
            assert_eq!(of(field, &value), weight, "{field}: {value}");
        }
    }
}
