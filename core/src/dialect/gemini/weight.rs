//! What leaving out a field of this protocol means to a provider that has no such field.
//!
//! | field | without it |
//! |---|---|
//! | `cachedContent` | another answer: it is the beginning of the prompt |
//! | `continuationToken` | another answer: it is the beginning of the answer |
//! | `responseModalities` beyond text, `responseMimeType` of Google's own | an answer of another form |
//! | `generationOutputConfig` | an answer at another place |
//! | `modelArmorConfig` | an answer that should have been withheld |
//! | the settings of Google's own tools | the same: those tools are refused |
//! | `displayName`, the schema beside a `responseMimeType` | the same: told elsewhere too |
//! | defaults: `false`, `0`, `""`, `..._UNSPECIFIED`, as protobuf has them | the same |
//! | anything else | less than was asked for |

use serde_json::Value;

use crate::dialect::Weight;

/// See [`crate::dialect::Dialect::weight`].
pub(super) fn of(field: &str, value: &Value) -> Weight {
    if is_default(value) {
        return Weight::Nothing;
    }
    match field {
        "cachedContent" | "continuationToken" | "modelArmorConfig" => Weight::Essential,
        "generationConfig.responseModalities" => match value {
            Value::Array(kinds) if kinds.iter().all(|kind| kind == "TEXT" || is_default(kind)) => Weight::Nothing,
            _ => Weight::Essential,
        },
        "generationConfig.generationOutputConfig" | "generationConfig.responseMimeType" => Weight::Essential,
        "generationConfig.responseJsonSchema" => Weight::Nothing,
        "toolConfig.retrievalConfig"
        | "toolConfig.includeServerSideToolInvocations"
        | "toolConfig.functionCallingConfig.streamFunctionCallArguments" => Weight::Nothing,
        "inlineData.displayName" | "fileData.displayName" => Weight::Nothing,
        "behavior" if value == "BLOCKING" => Weight::Nothing,
        _ => Weight::Wish,
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text.ends_with("_UNSPECIFIED") || text == "UNSPECIFIED",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn caches_sounds_and_pictures_cannot_be_left_out() {
        for (field, value, weight) in [
            ("cachedContent", json!("cachedContents/c1"), Weight::Essential),
            ("generationConfig.responseModalities", json!(["TEXT"]), Weight::Nothing),
            ("generationConfig.responseModalities", json!(["TEXT", "IMAGE"]), Weight::Essential),
            ("generationConfig.responseMimeType", json!("text/x.enum"), Weight::Essential),
            ("generationConfig.mediaResolution", json!("MEDIA_RESOLUTION_UNSPECIFIED"), Weight::Nothing),
            ("generationConfig.mediaResolution", json!("MEDIA_RESOLUTION_LOW"), Weight::Wish),
            ("generationConfig.audioTimestamp", json!(false), Weight::Nothing),
            ("safetySettings", json!([{"category": "HARM_CATEGORY_HARASSMENT"}]), Weight::Wish),
        ] {
            assert_eq!(of(field, &value), weight, "{field}: {value}");
        }
    }
}
