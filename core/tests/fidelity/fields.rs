//! Every field of the official SDKs' requests through both other protocols: it is carried, named in a
//! warning, or refused. The fixtures' README says where the fields come from.

use edgeway_core::dialect::DialectId;
use serde_json::Value;

use super::{ANTHROPIC, CLAUDE, GEMINI, GEMINI_25, GPT, OPENAI, To, plain, sent};

#[path = "../golden/mod.rs"]
mod golden;

/// Fields that may be left out without a word: at which door, at one provider or both (`*`), and why.
const SAY_NOTHING: &[(DialectId, &str, &str, &[&str])] = &[
    (
        OPENAI,
        "*",
        "the default",
        &[
            "logprobs false",
            "modalities =text",
            "parallel_tool_calls",
            "response_format ResponseFormatText",
            "store false",
            "stream_options ChatCompletionStreamOptionsParam.include_obfuscation<false>",
            "verbosity =medium",
            "ChatCompletionUserMessageParam.content<ChatCompletionContentPartImageParam.image_url<ImageURL.detail<=auto>>>",
        ],
    ),
    (OPENAI, "*", "empty", &["prompt_cache_options PromptCacheOptions", "stream_options ChatCompletionStreamOptionsParam"]),
    (OPENAI, "*", "the same number under its older name", &["max_tokens"]),
    (
        OPENAI,
        "*",
        "how the gateway's own stream ends",
        &[
            "stream_options ChatCompletionStreamOptionsParam.include_usage",
            "stream_options ChatCompletionStreamOptionsParam.include_usage<false>",
        ],
    ),
    (
        OPENAI,
        "*",
        "the others' schemas are always strict",
        &[
            "response_format ResponseFormatJSONSchema.json_schema<JSONSchema.strict>",
            "response_format ResponseFormatJSONSchema.json_schema<JSONSchema.strict<false>>",
        ],
    ),
    (
        OPENAI,
        "anthropic",
        "no parameters are an empty object",
        &["functions Function.parameters", "tools ChatCompletionFunctionToolParam.function<FunctionDefinition.parameters>"],
    ),
    (OPENAI, "anthropic", "said anyway, with the limit to one call that functions mean", &["function_call =auto"]),
    (
        OPENAI,
        "gemini",
        "the default there",
        &["service_tier =auto", "tools ChatCompletionFunctionToolParam.function<FunctionDefinition.strict<false>>"],
    ),
    (
        ANTHROPIC,
        "*",
        "the default",
        &[
            "speed =standard",
            "tools ToolParam.allowed_callers<=direct>",
            "tools ToolParam.defer_loading<false>",
            "tools ToolParam.type<=custom>",
            "UserMessageParam.content<DocumentBlockParam.citations<CitationsConfigParam.enabled<false>>>",
            "UserMessageParam.content<ToolResultBlockParam.is_error<false>>",
            "AssistantMessageParam.content<ToolUseBlockParam.caller<DirectCallerParam>>",
        ],
    ),
    (
        ANTHROPIC,
        "*",
        "empty",
        &[
            "diagnostics DiagnosticsParam",
            "metadata MetadataParam",
            "output_config OutputConfigParam",
            "UserMessageParam.content<ImageBlockParam.transformations<ImageTransformationsParam>>",
            "UserMessageParam.content<DocumentBlockParam.citations<CitationsConfigParam>>",
        ],
    ),
    (
        ANTHROPIC,
        "*",
        "in which pieces arguments come",
        &["tools ToolParam.eager_input_streaming", "tools ToolParam.eager_input_streaming<false>"],
    ),
    (
        ANTHROPIC,
        "openai",
        "models there always set their own budget, and show no thoughts",
        &["thinking ThinkingConfigAdaptiveParam", "thinking ThinkingConfigAdaptiveParam.display<=summarized>"],
    ),
    (
        ANTHROPIC,
        "gemini",
        "the default there",
        &[
            "service_tier =auto",
            "thinking ThinkingConfigEnabledParam.display<=summarized>",
            "tool_choice ToolChoiceAutoParam.disable_parallel_tool_use<false>",
            "tool_choice ToolChoiceAnyParam.disable_parallel_tool_use<false>",
            "tool_choice ToolChoiceToolParam.disable_parallel_tool_use<false>",
            "tools ToolParam.strict<false>",
        ],
    ),
    (
        GEMINI,
        "*",
        "the default",
        &[
            "responseLogprobs false",
            "toolConfig ToolConfig.functionCallingConfig<FunctionCallingConfig.mode<=MODE_UNSPECIFIED>>",
            "mediaResolution =MEDIA_RESOLUTION_UNSPECIFIED",
            "audioTimestamp false",
            "thinkingConfig ThinkingConfig.includeThoughts<false>",
            "thinkingConfig ThinkingConfig.thinkingLevel<=THINKING_LEVEL_UNSPECIFIED>",
            "enableEnhancedCivicAnswers false",
            "serviceTier =unspecified",
            "store false",
            "fd.behavior =UNSPECIFIED",
            "fd.behavior =BLOCKING",
            "user.thought false",
            "user.mediaProcessing =MEDIA_PROCESSING_UNSPECIFIED",
            "model.thought false",
        ],
    ),
    (
        GEMINI,
        "*",
        "empty",
        &[
            "routingConfig GenerationConfigRoutingConfig",
            "modelSelectionConfig ModelSelectionConfig",
            "toolConfig ToolConfig",
            "toolConfig ToolConfig.retrievalConfig<RetrievalConfig>",
            "toolConfig ToolConfig.functionCallingConfig<FunctionCallingConfig>",
            "thinkingConfig ThinkingConfig",
            "imageConfig ImageConfig",
            "audioTranscriptionConfig AudioTranscriptionConfig",
            "user.mediaResolution PartMediaResolution",
            "user.audioTranscription Transcription",
            "user.speechMetadata SpeechMetadata",
            "user.documentMetadata DocumentMetadata",
            "user.spreadsheetMetadata SpreadsheetMetadata",
            "user.audioMetadata AudioMetadata",
        ],
    ),
    (GEMINI, "openai", "empty", &["user.videoMetadata VideoMetadata"]),
    (
        GEMINI,
        "*",
        "only for Google's own tools, which are refused, or for the pieces in which arguments come",
        &[
            "toolConfig ToolConfig.retrievalConfig<RetrievalConfig.languageCode>",
            "toolConfig ToolConfig.includeServerSideToolInvocations",
            "toolConfig ToolConfig.includeServerSideToolInvocations<false>",
            "toolConfig ToolConfig.functionCallingConfig<FunctionCallingConfig.streamFunctionCallArguments>",
            "toolConfig ToolConfig.functionCallingConfig<FunctionCallingConfig.streamFunctionCallArguments<false>>",
        ],
    ),
    (GEMINI, "openai", "models there show no thoughts", &["thinkingConfig ThinkingConfig.includeThoughts"]),
    (GEMINI, "*", "nobody but Google can check it, and the text goes", &["user.thoughtSignature", "model.thoughtSignature"]),
];

/// What becomes of a request.
#[derive(Debug, PartialEq)]
enum Fate {
    Refused,
    Sent { body: Value, warnings: String },
}

fn fate(from: DialectId, fields: &Value, to: To) -> Fate {
    let mut body = plain(from, serde_json::json!({}));
    for (key, value) in fields.as_object().expect("fields") {
        body[key] = value.clone();
    }
    match sent(from, &body, to) {
        Ok((body, warnings)) => Fate::Sent { body, warnings },
        Err(error) => {
            assert_eq!(error.status().as_u16(), 400, "{error:?}");
            assert!(error.param.is_some(), "a refusal names the field: {error:?}");
            Fate::Refused
        }
    }
}

#[test]
fn no_field_of_an_official_sdk_is_lost_in_silence() {
    let (mut silent, mut count) = (Vec::new(), 0);
    for (from, foreign) in [(OPENAI, [CLAUDE, GEMINI_25]), (ANTHROPIC, [GPT, GEMINI_25]), (GEMINI, [GPT, CLAUDE])] {
        let file: Value = serde_json::from_slice(&golden::fixture("fidelity", &format!("{}.json", from.name()))).expect("JSON");
        for field in file["fields"].as_array().expect("fields") {
            let name = field["field"].as_str().expect("a name");
            for to in foreign {
                count += 1;
                let with = fate(from, &field["with"], to);
                // A warning may name what the field is part of.
                let named = matches!(&with, Fate::Sent { warnings, .. } if !warnings.is_empty());
                if with != Fate::Refused && !named && with == fate(from, &field["without"], to) {
                    silent.push((from, to.0, name.to_owned()));
                }
            }
        }
    }
    assert!(count > 900, "{count}");
    let allowed = |(from, to, name): &(DialectId, &str, String)| {
        let listed = |(door, provider, _, fields): &(DialectId, &str, &str, &[&str])| {
            door == from && (*provider == "*" || provider == to) && fields.contains(&name.as_str())
        };
        SAY_NOTHING.iter().any(listed)
    };
    let lost: Vec<_> = silent.iter().filter(|field| !allowed(field)).collect();
    assert!(lost.is_empty(), "{lost:#?}");
    for (from, to, why, field) in
        SAY_NOTHING.iter().flat_map(|(from, to, why, fields)| fields.iter().map(move |f| (from, to, why, f)))
    {
        let still = silent.iter().any(|(door, provider, name)| door == from && name == field && (*to == "*" || to == provider));
        assert!(still, "{field} is no longer silent ({why}); take it off the list");
    }
}
