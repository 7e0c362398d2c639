//! Requests, both ways.
//!
//! | wire | canonical |
//! |---|---|
//! | `max_completion_tokens`, else `max_tokens` | `max_tokens` |
//! | `reasoning_effort`; OpenRouter's `reasoning`; Anthropic's `thinking` as LiteLLM takes it | `reasoning` |
//! | `user`, else `safety_identifier` | `user`, sent under the name that the caller used, else as `user` |
//! | `stream_options.include_usage` | `stream_usage`; upstream usage is always asked for |
//! | `response_format`, with Together's `schema` beside `json_object` | `output` |
//! | legacy `functions`, `function_call` | `tools`, `tool_choice`; one call at a time, answered as `function_call` |
//! | what is not named here (`prediction`, `logit_bias`, `store`, `modalities`, ...) | [`Extra`], as it came |
//!
//! Ranges are OpenAI's. Each of the provider's [`Quirks`](crate::provider::Quirks) is read at the one
//! place where its field is written.
//!
//! Source: openai-python `types/chat/completion_create_params.py`; OpenRouter, reasoning tokens.

use std::collections::BTreeMap;

use serde_json::Value;

use super::encoding::Encoding;
use super::weight::{FUNCTIONS, USER_FIELD};
use super::{DIALECT, message, tool};
use crate::chat::{ChatRequest, Effort, LogProbs, OutputFormat, Part, ReasoningConfig, Role, ToolChoice, WarningCode, Warnings};
use crate::dialect::{EncodedRequest, Target};
use crate::error::Result;
use crate::provider::MaxTokensField;
use crate::wire::json::{At, Json};
use crate::wire::json_writer::Object;

/// Decodes a request.
pub(super) fn decode(body: &[u8]) -> Result<ChatRequest> {
    let mut request = ChatRequest::default();
    let mut draft = Draft::default();
    for (key, value) in Json::parse(body)?.object(At::Root)? {
        let at = At::Root.field(&key);
        match &*key {
            "model" => request.model = value.string(at)?,
            "messages" => request.messages = message::decode(value, at)?,
            "tools" => {
                draft.tools = true;
                request.tools.extend(tool::decode(value, at)?);
            }
            "functions" => {
                draft.functions = true;
                request.tools.extend(tool::decode_functions(value, at)?);
            }
            "tool_choice" => request.tool_choice = Some(tool::decode_choice(value, at)?),
            "function_call" => draft.function_call = Some(tool::decode_choice(value, at)?),
            "parallel_tool_calls" => request.parallel_tool_calls = Some(value.boolean(at)?),
            "response_format" => request.output = decode_format(value, at)?,
            "reasoning_effort" => draft.reasoning.effort = Some(decode_effort(&value, at)?),
            "reasoning" => decode_reasoning(value, at, &mut draft.reasoning)?,
            "thinking" => decode_thinking(value, at, &mut draft.reasoning)?,
            "temperature" => request.sampling.temperature = Some(value.number(at, 0.0..=2.0)?),
            "top_p" => request.sampling.top_p = Some(value.number(at, 0.0..=1.0)?),
            "top_k" => request.sampling.top_k = decode_top_k(value, at)?,
            "frequency_penalty" => request.sampling.frequency_penalty = Some(value.number(at, -2.0..=2.0)?),
            "presence_penalty" => request.sampling.presence_penalty = Some(value.number(at, -2.0..=2.0)?),
            "seed" => request.sampling.seed = Some(decode_seed(value, at)?),
            "max_completion_tokens" => request.max_tokens = Some(value.integer(at, 1..=u64::MAX)?),
            "max_tokens" => draft.max_tokens = Some(value.integer(at, 1..=u64::MAX)?),
            "stop" => request.stop = decode_stop(value, at)?,
            "n" => request.candidates = Some(value.integer(at, 1..=128)? as u32),
            "logprobs" => draft.logprobs = value.boolean(at)?,
            "top_logprobs" => draft.top_logprobs = Some(value.integer(at, 0..=20)? as u32),
            "user" => request.user = Some(value.string(at)?),
            "safety_identifier" => draft.safety_identifier = Some(value.string(at)?),
            "metadata" => request.metadata = decode_metadata(value, at)?,
            "service_tier" => request.service_tier = Some(value.string(at)?),
            "stream" => request.stream = value.boolean(at)?,
            "stream_options" => decode_stream_options(value, at, &mut request)?,
            _ => request.extra.insert(DIALECT, key, value.into()),
        }
    }
    draft.settle(&mut request)?;
    Ok(request)
}

/// Fields that another one outranks or completes, in whatever order they came.
#[derive(Default)]
struct Draft {
    tools: bool,
    functions: bool,
    function_call: Option<ToolChoice>,
    reasoning: ReasoningConfig,
    max_tokens: Option<u64>,
    logprobs: bool,
    top_logprobs: Option<u32>,
    safety_identifier: Option<String>,
}

impl Draft {
    fn settle(self, request: &mut ChatRequest) -> Result<()> {
        if request.model.is_empty() {
            return Err(At::Root.field("model").missing("the name of a model, as `provider/model` or an alias"));
        }
        if request.messages.is_empty() {
            return Err(At::Root.field("messages").missing("at least one message"));
        }
        request.tool_choice = request.tool_choice.take().or(self.function_call);
        if self.functions && !self.tools {
            request.extra.insert(DIALECT, FUNCTIONS, true.into());
            request.parallel_tool_calls = request.parallel_tool_calls.or(Some(false));
        }
        request.reasoning = (self.reasoning != ReasoningConfig::default()).then_some(self.reasoning);
        request.max_tokens = request.max_tokens.or(self.max_tokens);
        match (self.logprobs, self.top_logprobs) {
            (true, top) => request.logprobs = Some(LogProbs { top }),
            (false, Some(1..)) => {
                return Err(At::Root.field("top_logprobs").invalid("needs `logprobs`; send `logprobs: true` with it"));
            }
            (false, _) => {}
        }
        match (&request.user, self.safety_identifier) {
            (None, Some(identifier)) => {
                request.user = Some(identifier);
                request.extra.insert(DIALECT, USER_FIELD, "safety_identifier".into());
            }
            (Some(user), Some(identifier)) if *user != identifier => {
                request.extra.insert(DIALECT, "safety_identifier", identifier.into());
            }
            _ => {}
        }
        Ok(())
    }
}

fn decode_format(format: Json<'_>, at: At<'_>) -> Result<OutputFormat> {
    if !matches!(format, Json::Object(_)) {
        return Err(at.wrong(&format, r#"an object such as {"type": "json_object"}"#));
    }
    match format.get("type").and_then(Json::as_str) {
        Some("text") => Ok(OutputFormat::Text),
        Some("json_object") => Ok(match format.get("schema") {
            Some(schema @ Json::Object(_)) => OutputFormat::JsonSchema {
                name: "response".to_owned(),
                description: None,
                schema: schema.clone().into(),
                strict: None,
            },
            _ => OutputFormat::Json,
        }),
        Some("json_schema") => decode_schema(format, at),
        _ => Err(at.field("type").invalid("is not known; send `text`, `json_object` or `json_schema`")),
    }
}

fn decode_schema(format: Json<'_>, at: At<'_>) -> Result<OutputFormat> {
    let at = at.field("json_schema");
    let Some((_, inner)) = format.object(at)?.find(|(key, _)| key == "json_schema") else {
        return Err(at.missing(r#"an object such as {"name": "...", "schema": {...}}"#));
    };
    let (mut name, mut description, mut schema, mut strict) = (None, None, None, None);
    for (key, value) in inner.object(at)? {
        let at = at.field(&key);
        match &*key {
            "name" => name = Some(value.string(at)?),
            "description" => description = Some(value.string(at)?),
            "schema" if matches!(value, Json::Object(_)) => schema = Some(Value::from(value)),
            "schema" => return Err(at.wrong(&value, "a JSON Schema object")),
            "strict" => strict = Some(value.boolean(at)?),
            _ => {}
        }
    }
    let name = name.ok_or_else(|| at.field("name").missing("the schema's name"))?;
    // OpenAI lets the schema be absent: any object.
    let schema = schema.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    Ok(OutputFormat::JsonSchema { name, description, schema, strict })
}

fn decode_effort(effort: &Json<'_>, at: At<'_>) -> Result<Effort> {
    const WORDS: &str = "`none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`";
    let Some(word) = effort.as_str() else { return Err(at.wrong(effort, WORDS)) };
    EFFORTS
        .iter()
        .find(|(_, name)| *name == word)
        .map(|(effort, _)| *effort)
        .ok_or_else(|| at.invalid(format_args!("is not known; send {WORDS}")))
}

const EFFORTS: [(Effort, &str); 7] = [
    (Effort::None, "none"),
    (Effort::Minimal, "minimal"),
    (Effort::Low, "low"),
    (Effort::Medium, "medium"),
    (Effort::High, "high"),
    (Effort::XHigh, "xhigh"),
    (Effort::Max, "max"),
];

/// OpenRouter's form: effort or budget, and whether to show it.
fn decode_reasoning(reasoning: Json<'_>, at: At<'_>, config: &mut ReasoningConfig) -> Result<()> {
    for (key, value) in reasoning.object(at)? {
        let at = at.field(&key);
        match &*key {
            "effort" => config.effort = Some(decode_effort(&value, at)?),
            "max_tokens" => config.budget_tokens = Some(value.integer(at, 0..=u64::MAX)?),
            "exclude" => config.include_thoughts = Some(!value.boolean(at)?),
            "enabled" => match value.boolean(at)? {
                true => config.adaptive = true,
                false => config.effort = Some(Effort::None),
            },
            _ => {}
        }
    }
    Ok(())
}

/// Anthropic's form, as LiteLLM takes it at this door.
fn decode_thinking(thinking: Json<'_>, at: At<'_>, config: &mut ReasoningConfig) -> Result<()> {
    for (key, value) in thinking.object(at)? {
        let at = at.field(&key);
        match &*key {
            "type" => match &*value.text(at)? {
                "enabled" => {}
                "adaptive" => config.adaptive = true,
                "disabled" => config.budget_tokens = Some(0),
                _ => return Err(at.invalid("is not known; send `enabled`, `adaptive` or `disabled`")),
            },
            "budget_tokens" => config.budget_tokens = Some(value.integer(at, 0..=u64::MAX)?),
            _ => {}
        }
    }
    // `enabled` without a budget leaves it to the model.
    config.adaptive |= *config == ReasoningConfig::default();
    Ok(())
}

fn decode_seed(seed: Json<'_>, at: At<'_>) -> Result<i64> {
    match &seed {
        Json::Number(number) => number.as_i64().or_else(|| seed.as_u64()?.try_into().ok()),
        _ => None,
    }
    .ok_or_else(|| at.wrong(&seed, "an integer of at most 64 bits"))
}

/// 0 and -1 switch it off (vLLM).
fn decode_top_k(top_k: Json<'_>, at: At<'_>) -> Result<Option<u64>> {
    match &top_k {
        Json::Number(number) if number.as_i64().is_some_and(|k| k <= 0) => Ok(None),
        _ => top_k.integer(at, 1..=u64::MAX).map(Some),
    }
}

fn decode_stop(stop: Json<'_>, at: At<'_>) -> Result<Vec<String>> {
    match stop {
        Json::String(stop) => Ok(vec![stop.into_owned()]),
        Json::Array(stops) => stops.into_iter().enumerate().map(|(index, stop)| stop.string(at.item(index))).collect(),
        other => Err(at.wrong(&other, "a string or an array of strings")),
    }
}

fn decode_metadata(metadata: Json<'_>, at: At<'_>) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for (key, value) in metadata.object(at)? {
        all.insert(key.to_string(), value.string(at.field(&key))?);
    }
    Ok(all)
}

fn decode_stream_options(options: Json<'_>, at: At<'_>, request: &mut ChatRequest) -> Result<()> {
    let mut unknown = serde_json::Map::new();
    for (key, value) in options.object(at)? {
        let at = at.field(&key);
        match &*key {
            "include_usage" => request.stream_usage = value.boolean(at)?,
            _ => drop(unknown.insert(key.into_owned(), value.into())),
        }
    }
    if !unknown.is_empty() {
        request.extra.insert(DIALECT, "stream_options", Value::Object(unknown));
    }
    Ok(())
}

/// Encodes a request for `target`.
pub(super) fn encode(request: &ChatRequest, target: Target<'_>, warnings: &mut Warnings) -> Result<EncodedRequest> {
    request.check_for(DIALECT, target.provider)?;
    let mut body = Vec::with_capacity(1024);
    let mut encoding = Encoding { target, warnings };
    let mut object = Object::begin(&mut body);
    object.field("model", target.model);
    message::encode(request, &mut object, &mut encoding)?;
    tool::encode(request, &mut object, &mut encoding)?;
    encode_format(&request.output, &mut object, &mut encoding);
    encode_sampling(request, &mut object, &mut encoding)?;
    encode_reasoning(request, &mut object, &mut encoding);
    let user_field = request.extra.field(DIALECT, USER_FIELD).and_then(Value::as_str).unwrap_or("user");
    object.some(user_field, &request.user);
    if !request.metadata.is_empty() {
        object.field("metadata", &request.metadata);
    }
    match request.service_tier.as_deref() {
        // Anthropic's and Gemini's words for it.
        Some("standard_only" | "standard") => object.field("service_tier", "default"),
        tier => object.some("service_tier", &tier),
    }
    let options = request.extra.field(DIALECT, "stream_options").and_then(Value::as_object);
    if request.stream {
        object.field("stream", &true);
        if !target.quirks.no_stream_options {
            let mut wire = object.object("stream_options");
            wire.field("include_usage", &true);
            options.into_iter().flatten().for_each(|(key, value)| wire.field(key, value));
        }
    }
    encoding.extra(&mut object, &request.extra, At::Root, &["stream_options", USER_FIELD, FUNCTIONS]);
    drop(object);
    Ok(EncodedRequest { body: body.into(), headers: Vec::new() })
}

fn encode_format(output: &OutputFormat, object: &mut Object<'_>, encoding: &mut Encoding<'_, '_>) {
    match output {
        OutputFormat::Text => {}
        OutputFormat::JsonSchema { name, description, schema, strict } if !encoding.target.quirks.no_json_schema => {
            let mut format = object.object("response_format");
            format.field("type", "json_schema");
            let mut inner = format.object("json_schema");
            inner.field("name", name);
            inner.some("description", description);
            inner.field("schema", schema);
            inner.some("strict", strict);
        }
        // `message::encode` adds the instruction.
        OutputFormat::Json | OutputFormat::JsonSchema { .. } => object.object("response_format").field("type", "json_object"),
    }
}

/// What the model must be told because `response_format` alone does not say it, if anything.
pub(super) fn format_instruction(request: &ChatRequest, encoding: &mut Encoding<'_, '_>) -> Option<String> {
    let at = At::Root.field("response_format");
    match &request.output {
        OutputFormat::JsonSchema { schema, .. } if encoding.target.quirks.no_json_schema => {
            encoding.approximated(at, "the provider takes no schema; the instructions state it");
            Some(format!("Answer with one JSON object that matches this JSON Schema, and with nothing else:\n{schema}"))
        }
        // OpenAI and most others refuse `json_object` unless a message says the word.
        OutputFormat::Json if !says_json(request) => {
            encoding.warnings.push(WarningCode::Filled, "messages", "`json_object` needs a message that asks for JSON");
            Some("Answer with one JSON object, and with nothing else.".to_owned())
        }
        _ => None,
    }
}

/// Whether the conversation says it before its first answer: what comes later must not change how it
/// begins, or a cached prefix would not be met.
fn says_json(request: &ChatRequest) -> bool {
    let says = |text: &str| text.as_bytes().windows(4).any(|word| word.eq_ignore_ascii_case(b"json"));
    let beginning = request.messages.iter().take_while(|message| message.role != Role::Assistant);
    beginning.flat_map(|message| &message.parts).any(|part| matches!(part, Part::Text(text) if says(&text.text)))
}

fn encode_sampling(request: &ChatRequest, object: &mut Object<'_>, encoding: &mut Encoding<'_, '_>) -> Result<()> {
    let (quirks, sampling) = (encoding.target.quirks, &request.sampling);
    let max_tokens = match quirks.max_tokens {
        MaxTokensField::MaxTokens => "max_tokens",
        MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
    };
    object.some(max_tokens, &request.max_tokens);
    object.some("temperature", &sampling.temperature);
    object.some("top_p", &sampling.top_p);
    match sampling.top_k {
        Some(top_k) if quirks.top_k => object.field("top_k", &top_k),
        Some(_) => encoding.dropped(At::Root.field("top_k"), "the provider does not take it"),
        None => {}
    }
    object.some("frequency_penalty", &sampling.frequency_penalty);
    object.some("presence_penalty", &sampling.presence_penalty);
    match sampling.seed {
        Some(_) if quirks.no_seed => encoding.dropped(At::Root.field("seed"), "the provider does not take it"),
        seed => object.some(if quirks.random_seed { "random_seed" } else { "seed" }, &seed),
    }
    match request.stop.as_slice() {
        [] => {}
        stop => object.field("stop", stop),
    }
    match request.candidates {
        Some(2..) if quirks.no_candidates => {
            return Err(encoding.refuse(At::Root.field("n"), "asks for several answers"));
        }
        Some(_) if quirks.no_candidates => {}
        candidates => object.some("n", &candidates),
    }
    match &request.logprobs {
        Some(_) if quirks.no_logprobs => encoding.dropped(At::Root.field("logprobs"), "the provider does not take it"),
        Some(logprobs) => {
            object.field("logprobs", &true);
            object.some("top_logprobs", &logprobs.top);
        }
        None => {}
    }
    Ok(())
}

fn encode_reasoning(request: &ChatRequest, object: &mut Object<'_>, encoding: &mut Encoding<'_, '_>) {
    let at = At::Root.field("reasoning_effort");
    let Some(config) = &request.reasoning else { return };
    let effort = match (config.effort, config.budget_tokens) {
        (Some(effort), _) => effort,
        // Models that do not reason refuse the field, even with `none`; those that do may think on.
        (None, Some(0)) => return encoding.approximated(at, "left to the model instead of switched off"),
        (None, Some(budget)) if !encoding.target.quirks.no_reasoning_effort => {
            encoding.approximated(at, "the nearest effort to a budget in tokens");
            effort_of_budget(budget)
        }
        (None, Some(_)) => return encoding.dropped(at, "the provider does not take it"),
        (None, None) => return,
    };
    if encoding.target.quirks.no_reasoning_effort {
        return encoding.dropped(at, "the provider does not take it");
    }
    let word = EFFORTS.iter().find(|(known, _)| *known == effort).map(|(_, word)| *word);
    object.some("reasoning_effort", &word);
}

/// The effort whose usual budget (1 Ki, 8 Ki, 24 Ki tokens: Google's compatibility table) is nearest by ratio.
fn effort_of_budget(budget: u64) -> Effort {
    match budget {
        ..2_896 => Effort::Low,
        2_896..14_189 => Effort::Medium,
        _ => Effort::High,
    }
}
