//! The protocol's own JSON types: protobuf messages in their JSON form.
//!
//! Google's servers take `camelCase` and `snake_case` spellings, integers as numbers or strings, and
//! `null` for "absent"; so do these types. They borrow from the body where they can, keep fields they
//! do not know in `rest` (spelled in camelCase), and are written back without what is absent.
//!
//! Invariant: reading and writing a message loses no field.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A string, borrowed from the body unless it holds escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Str<'a>(pub(super) Cow<'a, str>);

/// An integer: a number, a number without fraction, or its digits in a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Int(pub(super) i64);

/// JSON text, as it was written.
#[derive(Clone, Debug)]
pub(super) struct Json<'a>(pub(super) Cow<'a, RawValue>);

/// Defines messages: every field optional and once, others in `rest`.
macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $json:literal $(| $other:literal)*,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: Option<$type>,)*
            pub(super) rest: Map<String, Value>,
            pub(super) life: PhantomData<&'a ()>,
        }

        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields<'a>(PhantomData<&'a ()>);
                impl<'de: 'a, 'a> Visitor<'de> for Fields<'a> {
                    type Value = $name<'a>;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                        let mut message = $name::default();
                        while let Some(key) = map.next_key::<Str<'de>>()? {
                            match &*key.0 {
                                $($json $(| $other)* => known(&mut map, &mut message.$field, $json)?,)*
                                _ => unknown(&mut map, &mut message.rest, key)?,
                            }
                        }
                        Ok(message)
                    }
                }
                deserializer.deserialize_map(Fields(PhantomData))
            }
        }

        impl Serialize for $name<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                $(if let Some(value) = &self.$field {
                    map.serialize_entry($json, value)?;
                })*
                for (field, value) in &self.rest {
                    map.serialize_entry(field, value)?;
                }
                map.end()
            }
        }
    )*};
}

messages! {
    /// A request's body.
    GenerateContentRequest {
        model: Str<'a> = "model",
        system_instruction: Instruction<'a> = "systemInstruction" | "system_instruction",
        contents: Vec<Content<'a>> = "contents",
        tools: Vec<Tool<'a>> = "tools",
        tool_config: ToolConfig<'a> = "toolConfig" | "tool_config",
        generation_config: GenerationConfig<'a> = "generationConfig" | "generation_config",
        labels: BTreeMap<String, String> = "labels",
        service_tier: Str<'a> = "serviceTier" | "service_tier",
    }
    /// What one speaker says.
    Content {
        parts: Vec<Part<'a>> = "parts",
        role: Str<'a> = "role",
    }
    /// A piece of content. Exactly one of the data fields is set; rarer ones (`executableCode`) are in `rest`.
    Part {
        text: Str<'a> = "text",
        thought: bool = "thought",
        inline_data: Box<Blob<'a>> = "inlineData" | "inline_data",
        file_data: Box<FileData<'a>> = "fileData" | "file_data",
        function_call: Box<FunctionCall<'a>> = "functionCall" | "function_call",
        function_response: Box<FunctionResponse<'a>> = "functionResponse" | "function_response",
        thought_signature: Str<'a> = "thoughtSignature" | "thought_signature",
    }
    /// Bytes, base64.
    Blob {
        mime_type: Str<'a> = "mimeType" | "mime_type",
        data: Str<'a> = "data",
        display_name: Str<'a> = "displayName" | "display_name",
    }
    /// Bytes elsewhere.
    FileData {
        mime_type: Str<'a> = "mimeType" | "mime_type",
        file_uri: Str<'a> = "fileUri" | "file_uri",
        display_name: Str<'a> = "displayName" | "display_name",
    }
    /// The model calls a function. `args` is an object.
    FunctionCall {
        id: Str<'a> = "id",
        name: Str<'a> = "name",
        args: Json<'a> = "args",
    }
    /// What the function answered. `response` is an object.
    FunctionResponse {
        id: Str<'a> = "id",
        name: Str<'a> = "name",
        response: Json<'a> = "response",
        parts: Vec<Part<'a>> = "parts",
    }
    /// A group of functions, or a tool of Google's (in `rest`).
    Tool {
        function_declarations: Vec<FunctionDeclaration<'a>> = "functionDeclarations" | "function_declarations",
    }
    /// A function of the caller's: its parameters as an OpenAPI schema or as JSON Schema.
    FunctionDeclaration {
        name: Str<'a> = "name",
        description: Str<'a> = "description",
        parameters: Value = "parameters",
        parameters_json_schema: Value = "parametersJsonSchema" | "parameters_json_schema",
    }
    /// How tools are used.
    ToolConfig {
        function_calling_config: FunctionCallingConfig<'a> = "functionCallingConfig" | "function_calling_config",
    }
    /// Which functions may or must be called.
    FunctionCallingConfig {
        mode: Str<'a> = "mode",
        allowed_function_names: Vec<Str<'a>> = "allowedFunctionNames" | "allowed_function_names",
    }
    /// Sampling and the form of the answer.
    GenerationConfig {
        temperature: f64 = "temperature",
        top_p: f64 = "topP" | "top_p",
        top_k: Int = "topK" | "top_k",
        candidate_count: Int = "candidateCount" | "candidate_count",
        max_output_tokens: Int = "maxOutputTokens" | "max_output_tokens",
        stop_sequences: Vec<Str<'a>> = "stopSequences" | "stop_sequences",
        seed: Int = "seed",
        presence_penalty: f64 = "presencePenalty" | "presence_penalty",
        frequency_penalty: f64 = "frequencyPenalty" | "frequency_penalty",
        response_mime_type: Str<'a> = "responseMimeType" | "response_mime_type",
        response_schema: Value = "responseSchema" | "response_schema",
        response_json_schema: Value = "responseJsonSchema" | "response_json_schema" | "_responseJsonSchema",
        response_logprobs: bool = "responseLogprobs" | "response_logprobs",
        logprobs: Int = "logprobs",
        thinking_config: ThinkingConfig<'a> = "thinkingConfig" | "thinking_config",
    }
    /// How much to think.
    ThinkingConfig {
        include_thoughts: bool = "includeThoughts" | "include_thoughts",
        thinking_budget: Int = "thinkingBudget" | "thinking_budget",
        thinking_level: Str<'a> = "thinkingLevel" | "thinking_level",
    }
    /// A response's body, and every chunk of a stream.
    GenerateContentResponse {
        candidates: Vec<Candidate<'a>> = "candidates",
        prompt_feedback: Value = "promptFeedback" | "prompt_feedback",
        usage_metadata: UsageMetadata<'a> = "usageMetadata" | "usage_metadata",
        model_version: Str<'a> = "modelVersion" | "model_version",
        create_time: Str<'a> = "createTime" | "create_time",
        response_id: Str<'a> = "responseId" | "response_id",
        error: Box<Status<'a>> = "error",
    }
    /// An answer.
    Candidate {
        content: Content<'a> = "content",
        finish_reason: Str<'a> = "finishReason" | "finish_reason",
        index: Int = "index",
        logprobs_result: Box<LogprobsResult<'a>> = "logprobsResult" | "logprobs_result",
    }
    /// Log probabilities, one entry a step in both lists.
    LogprobsResult {
        top_candidates: Vec<TopCandidates<'a>> = "topCandidates" | "top_candidates",
        chosen_candidates: Vec<LogprobsCandidate<'a>> = "chosenCandidates" | "chosen_candidates",
    }
    /// The most likely tokens of a step.
    TopCandidates {
        candidates: Vec<LogprobsCandidate<'a>> = "candidates",
    }
    /// A token and its log probability.
    LogprobsCandidate {
        token: Str<'a> = "token",
        token_id: Int = "tokenId" | "token_id",
        log_probability: f64 = "logProbability" | "log_probability",
    }
    /// Tokens; `prompt_token_count` includes the cached ones, `thoughts_token_count` is beside the candidates.
    UsageMetadata {
        prompt_token_count: Int = "promptTokenCount" | "prompt_token_count",
        cached_content_token_count: Int = "cachedContentTokenCount" | "cached_content_token_count",
        candidates_token_count: Int = "candidatesTokenCount" | "candidates_token_count",
        thoughts_token_count: Int = "thoughtsTokenCount" | "thoughts_token_count",
        tool_use_prompt_token_count: Int = "toolUsePromptTokenCount" | "tool_use_prompt_token_count",
        total_token_count: Int = "totalTokenCount" | "total_token_count",
        prompt_tokens_details: Vec<ModalityTokenCount<'a>> = "promptTokensDetails" | "prompt_tokens_details",
        cache_tokens_details: Vec<ModalityTokenCount<'a>> = "cacheTokensDetails" | "cache_tokens_details",
        candidates_tokens_details: Vec<ModalityTokenCount<'a>> = "candidatesTokensDetails" | "candidates_tokens_details",
        tool_use_prompt_tokens_details: Vec<ModalityTokenCount<'a>> = "toolUsePromptTokensDetails" | "tool_use_prompt_tokens_details",
        traffic_type: Str<'a> = "trafficType" | "traffic_type",
    }
    /// Tokens of one modality.
    ModalityTokenCount {
        modality: Str<'a> = "modality",
        token_count: Int = "tokenCount" | "token_count",
    }
    /// An error response's body.
    ErrorResponse {
        error: Status<'a> = "error",
    }
    /// `google.rpc.Status` with the HTTP status as its code.
    Status {
        code: Int = "code",
        message: Str<'a> = "message",
        status: Str<'a> = "status",
        details: Vec<Value> = "details",
    }
}

/// A system instruction: a content, or its text alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Instruction<'a>(pub(super) Content<'a>);

fn known<'de, M: MapAccess<'de>, T: Deserialize<'de>>(
    map: &mut M,
    slot: &mut Option<T>,
    name: &'static str,
) -> Result<(), M::Error> {
    let value: Option<T> = map.next_value()?;
    if value.is_some() && slot.is_some() {
        return Err(de::Error::duplicate_field(name));
    }
    if value.is_some() {
        *slot = value;
    }
    Ok(())
}

#[cold]
fn unknown<'de, M: MapAccess<'de>>(map: &mut M, rest: &mut Map<String, Value>, key: Str<'_>) -> Result<(), M::Error> {
    let value: Value = map.next_value()?;
    if !value.is_null() {
        rest.insert(camel(&key), value);
    }
    Ok(())
}

/// `safety_settings` as `safetySettings`. A name that is not spelled so stays as it is: it is no
/// other spelling of a known one, and must not become one.
pub(super) fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let is_word =
        |word: &str| word.starts_with(|c: char| c.is_ascii_lowercase()) && !word.contains(|c: char| c.is_ascii_uppercase());
    if !words.clone().all(is_word) {
        return name.to_owned();
    }
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        out.push_str(&word[..1].to_ascii_uppercase());
        out.push_str(&word[1..]);
    }
    out
}

impl Str<'_> {
    pub(super) fn into_string(self) -> String {
        self.0.into_owned()
    }
}

impl Deref for Str<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Str<'a> {
    fn from(text: &'a String) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Str<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl Serialize for Str<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Str<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Str<'de>, E> {
                Ok(text.into())
            }
            fn visit_str<E>(self, text: &str) -> Result<Str<'de>, E> {
                Ok(text.to_owned().into())
            }
            fn visit_string<E>(self, text: String) -> Result<Str<'de>, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl Int {
    /// The integer, if it is not negative.
    pub(super) fn unsigned(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }
}

impl From<u64> for Int {
    fn from(value: u64) -> Self {
        Self(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl Serialize for Int {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Int;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Int, E> {
                Ok(Int(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Int, E> {
                i64::try_from(value).map(Int).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Int, E> {
                // Exact: integers below 2^53 have one representation.
                if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
                    return Ok(Int(value as i64));
                }
                Err(E::invalid_value(de::Unexpected::Float(value), &self))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Int, E> {
                value.parse().map(Int).map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(Cow::Borrowed(raw)))
    }
}

impl Serialize for Instruction<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Instruction<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentOrText;
        impl<'de> Visitor<'de> for ContentOrText {
            type Value = Instruction<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a content or a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(instruction(text.into()))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(instruction(text.to_owned().into()))
            }
            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                Content::deserialize(MapAccessDeserializer::new(map)).map(Instruction)
            }
        }
        fn instruction(text: Str<'_>) -> Instruction<'_> {
            Instruction(Content { parts: Some(vec![Part { text: Some(text), ..Part::default() }]), ..Content::default() })
        }
        deserializer.deserialize_any(ContentOrText)
    }
}

#[cfg(test)]
mod tests {
    use super::camel;

    #[test]
    fn only_a_name_in_snake_case_becomes_camel_case() {
        assert_eq!(camel("safety_settings"), "safetySettings");
        for name in ["finishReason", "finishReason_", "finish__reason", "finish_Reason", "_id", "id_", "a_1", "é_x", "_", ""] {
            assert_eq!(camel(name), name);
        }
    }
}
