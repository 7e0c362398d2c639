//! Requests, both ways: everything but the conversation, which is in [`super::conversation`].
//!
//! | Gemini | canonical |
//! |---|---|
//! | `functionDeclarations` | [`FunctionTool`]s; `parameters` (OpenAPI) become JSON Schema and leave as `parametersJsonSchema` |
//! | any other key of a tool | a [`HostedTool`] each |
//! | `functionCallingConfig` AUTO, ANY, NONE | [`ToolChoice`]; ANY with names is `Function` or `Allowed`, any other with names `Allowed` |
//! | `responseMimeType` and a schema | [`OutputFormat`] |
//! | `thinkingConfig` | reasoning, see [`super::family`] |
//! | `labels` | metadata |
//! | `serviceTier` | the service tier |
//! | other fields | extra, those inside of a message as `generationConfig.speechConfig` |

use bytes::Bytes;
use serde_json::{Map, Value};

use super::family::{self, Family};
use super::json::path_at;
use super::schema::json_schema;
use super::wire::{
    FunctionCallingConfig, FunctionDeclaration, GenerateContentRequest, GenerationConfig, Instruction, Int, Str, ToolConfig,
};
use super::{conversation, wire};
use crate::chat::{ChatRequest, FunctionTool, HostedTool, LogProbs, OutputFormat, Sampling, Tool, ToolChoice, Warnings};
use crate::dialect::{DialectId, EncodedRequest, RequestHead, Target};
use crate::error::{Error, ErrorKind, Result};

const GEMINI: DialectId = DialectId::Gemini;
/// Messages whose unknown fields are kept under their name.
const GENERATION: &str = "generationConfig";
const THINKING: &str = "generationConfig.thinkingConfig";
const TOOLS: &str = "toolConfig";
const CALLING: &str = "toolConfig.functionCallingConfig";

pub(super) fn decode(head: RequestHead<'_>, body: &[u8]) -> Result<ChatRequest> {
    let wire: GenerateContentRequest<'_> = serde_json::from_slice(body).map_err(|error| malformed(body, &error))?;
    let model = head.model.map(str::to_owned).or(wire.model.map(Str::into_string));
    let model = model
        .ok_or_else(|| Error::invalid("model", "The path names no model; post to /v1beta/models/{model}:generateContent."))?;
    let contents =
        wire.contents.ok_or_else(|| Error::invalid("contents", "`contents` is missing; send at least one content."))?;
    let (messages, places) = conversation::decode(wire.system_instruction.map(|instruction| instruction.0), contents)?;
    let mut request = ChatRequest {
        model: model.strip_prefix("models/").unwrap_or(&model).to_owned(),
        messages,
        places,
        metadata: wire.labels.unwrap_or_default(),
        service_tier: wire.service_tier.map(Str::into_string).filter(|tier| tier != "unspecified"),
        stream: head.stream.unwrap_or(false),
        stream_usage: true,
        ..ChatRequest::default()
    };
    request.extra.extend(GEMINI, wire.rest);
    decode_tools(wire.tools.unwrap_or_default(), &mut request)?;
    if let Some(config) = wire.tool_config {
        keep(&mut request, TOOLS, config.rest);
        if let Some(config) = config.function_calling_config {
            decode_choice(config, &mut request)?;
        }
    }
    if let Some(config) = wire.generation_config {
        decode_generation(config, &mut request)?;
    }
    Ok(request)
}

/// Names the place of what serde could not read.
fn malformed(body: &[u8], error: &serde_json::Error) -> Error {
    // serde_json ends its sentence with the position.
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    if !error.is_data() {
        return Error::new(ErrorKind::InvalidRequest, format!("The body is not valid JSON: {text}."));
    }
    match path_at(body, error.line(), error.column()) {
        path if path.is_empty() => Error::new(ErrorKind::InvalidRequest, format!("The body is not a request: {what}.")),
        path => Error::invalid(&path, format!("`{path}`: {what}.")),
    }
}

fn keep(request: &mut ChatRequest, prefix: &str, rest: Map<String, Value>) {
    for (field, value) in rest {
        request.extra.insert(GEMINI, format!("{prefix}.{field}"), value);
    }
}

fn decode_tools(tools: Vec<wire::Tool<'_>>, request: &mut ChatRequest) -> Result<()> {
    for (index, tool) in tools.into_iter().enumerate() {
        for (number, function) in tool.function_declarations.into_iter().flatten().enumerate() {
            let name = function.name.filter(|name| !name.is_empty()).ok_or_else(|| {
                let at = format!("tools[{index}].functionDeclarations[{number}].name");
                Error::invalid(at, "A function declaration needs a name.")
            })?;
            let mut tool = FunctionTool {
                name: name.into_string(),
                description: function.description.map(Str::into_string),
                parameters: function.parameters_json_schema.or(function.parameters.map(json_schema)),
                ..FunctionTool::default()
            };
            tool.extra.extend(GEMINI, function.rest);
            request.tools.push(Tool::Function(tool));
        }
        for (kind, value) in tool.rest {
            let value = Value::Object(Map::from_iter([(kind.clone(), value)]));
            request.tools.push(Tool::Hosted(HostedTool { dialect: GEMINI, kind, value }));
        }
    }
    Ok(())
}

fn decode_choice(config: FunctionCallingConfig<'_>, request: &mut ChatRequest) -> Result<()> {
    let mut names: Vec<String> = config.allowed_function_names.into_iter().flatten().map(Str::into_string).collect();
    let mode = config.mode.map(|mode| mode.to_ascii_uppercase());
    request.tool_choice = match mode.as_deref() {
        None | Some("MODE_UNSPECIFIED" | "AUTO") if !names.is_empty() => Some(ToolChoice::Allowed { names, required: false }),
        None | Some("MODE_UNSPECIFIED") => None,
        Some("AUTO") => Some(ToolChoice::Auto),
        Some("NONE") => Some(ToolChoice::None),
        Some("ANY") if names.is_empty() => Some(ToolChoice::Required),
        Some("ANY") if names.len() == 1 => names.pop().map(ToolChoice::Function),
        Some("ANY") => Some(ToolChoice::Allowed { names, required: true }),
        Some("VALIDATED") if names.is_empty() => {
            request.extra.insert(GEMINI, format!("{CALLING}.mode"), "VALIDATED".into());
            Some(ToolChoice::Auto)
        }
        Some("VALIDATED") => Some(ToolChoice::Allowed { names, required: false }),
        Some(other) => {
            let message = format!("Unknown mode `{other}`; use AUTO, ANY, NONE or VALIDATED.");
            return Err(Error::invalid(format!("{CALLING}.mode"), message));
        }
    };
    keep(request, CALLING, config.rest);
    Ok(())
}

fn decode_generation(config: GenerationConfig<'_>, request: &mut ChatRequest) -> Result<()> {
    let unsigned = |value: Option<Int>, field: &str| match value {
        None => Ok(None),
        Some(value) => value.unsigned().map(Some).ok_or_else(|| {
            let path = format!("{GENERATION}.{field}");
            Error::invalid(&path, format!("`{path}` is {}; it cannot be negative.", value.0))
        }),
    };
    request.sampling = Sampling {
        temperature: config.temperature,
        top_p: config.top_p,
        top_k: unsigned(config.top_k, "topK")?,
        frequency_penalty: config.frequency_penalty,
        presence_penalty: config.presence_penalty,
        seed: config.seed.map(|seed| seed.0),
    };
    request.max_tokens = unsigned(config.max_output_tokens, "maxOutputTokens")?;
    request.stop = config.stop_sequences.into_iter().flatten().map(Str::into_string).collect();
    request.candidates =
        unsigned(config.candidate_count, "candidateCount")?.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let top = unsigned(config.logprobs, "logprobs")?.map(|top| u32::try_from(top).unwrap_or(u32::MAX));
    if config.response_logprobs == Some(true) {
        request.logprobs = Some(LogProbs { top });
    }
    if let Some(thinking) = config.thinking_config {
        let reasoning = family::decode(&thinking).map_err(|why| Error::invalid(THINKING, format!("`{THINKING}`: {why}.")))?;
        request.reasoning = Some(reasoning);
        keep(request, THINKING, thinking.rest);
    }
    let mime = config.response_mime_type.as_deref().unwrap_or("");
    let schema = config.response_json_schema.or(config.response_schema.map(json_schema));
    match (mime, schema) {
        ("" | "application/json", Some(schema)) => {
            request.output = OutputFormat::JsonSchema { name: "response".into(), description: None, schema, strict: None };
        }
        ("application/json", None) => request.output = OutputFormat::Json,
        ("" | "text/plain", None) => {}
        // `text/x.enum` and what may follow: only Gemini knows it.
        (mime, schema) => {
            request.extra.insert(GEMINI, format!("{GENERATION}.responseMimeType"), mime.into());
            if let Some(schema) = schema {
                request.extra.insert(GEMINI, format!("{GENERATION}.responseJsonSchema"), schema);
            }
        }
    }
    keep(request, GENERATION, config.rest);
    Ok(())
}

pub(super) fn encode(request: &ChatRequest, target: Target<'_>, warnings: &mut Warnings) -> Result<EncodedRequest> {
    request.check_for(GEMINI, target.provider)?;
    let family = Family::of(target.model);
    let (system, contents) = conversation::encode(&request.messages, family, warnings)?;
    let has_functions = request.tools.iter().any(|tool| matches!(tool, Tool::Function(_)));
    let mut wire = GenerateContentRequest {
        system_instruction: system.map(Instruction),
        contents: Some(contents),
        tools: encode_tools(&request.tools, warnings)?,
        tool_config: encode_choice(request.tool_choice.as_ref(), has_functions, warnings),
        generation_config: Some(encode_generation(request, family, warnings)),
        labels: encode_labels(request, warnings),
        service_tier: encode_tier(request.service_tier.as_deref(), warnings),
        ..GenerateContentRequest::default()
    };
    if request.parallel_tool_calls == Some(false) {
        warnings.dropped("parallel_tool_calls", "Gemini may call several tools at once");
    }
    if request.user.is_some() {
        warnings.dropped("user", "Gemini has no field for it");
    }
    for (_, field) in request.extra.foreign_to(GEMINI) {
        warnings.dropped(field, "Gemini has no such field");
    }
    for (field, value) in request.extra.fields(GEMINI) {
        restore(&mut wire, field, value.clone(), has_functions);
    }
    if wire.generation_config.as_ref().is_some_and(is_empty) {
        wire.generation_config = None;
    }
    let body = serde_json::to_vec(&wire).expect("messages serialise");
    Ok(EncodedRequest { body: Bytes::from(body), headers: Vec::new() })
}

fn is_empty(config: &GenerationConfig<'_>) -> bool {
    super::json::raw(config).get() == "{}"
}

/// Puts a kept field back where it was.
fn restore(wire: &mut GenerateContentRequest<'_>, field: &str, value: Value, has_functions: bool) {
    let (prefix, name) = field.rsplit_once('.').unwrap_or(("", field));
    let rest = match prefix {
        GENERATION => &mut wire.generation_config.get_or_insert_default().rest,
        THINKING => &mut wire.generation_config.get_or_insert_default().thinking_config.get_or_insert_default().rest,
        TOOLS => &mut wire.tool_config.get_or_insert_default().rest,
        CALLING if has_functions => {
            let calling = wire.tool_config.get_or_insert_default().function_calling_config.get_or_insert_default();
            if let ("mode", Value::String(mode)) = (name, &value) {
                calling.mode = Some(mode.clone().into());
                return;
            }
            &mut calling.rest
        }
        CALLING => return,
        _ => &mut wire.rest,
    };
    rest.insert(name.to_owned(), value);
}

fn encode_tools<'a>(tools: &'a [Tool], warnings: &mut Warnings) -> Result<Option<Vec<wire::Tool<'a>>>> {
    let mut out: Vec<wire::Tool<'a>> = Vec::new();
    // All functions share one tool: several are refused beside hosted ones.
    let mut functions: Option<usize> = None;
    for (index, tool) in tools.iter().enumerate() {
        match tool {
            Tool::Function(function) => {
                let at = *functions.get_or_insert_with(|| {
                    out.push(wire::Tool::default());
                    out.len() - 1
                });
                out[at].function_declarations.get_or_insert_default().push(encode_function(function, index, warnings));
            }
            Tool::Hosted(HostedTool { dialect: GEMINI, value: Value::Object(fields), .. }) => {
                out.push(wire::Tool { rest: fields.clone(), ..Default::default() });
            }
            Tool::Hosted(tool) => {
                let message =
                    format!("The tool `{}` runs at providers of {}; Gemini does not have it.", tool.kind, tool.dialect.name());
                return Err(Error::unsupported(format!("tools[{index}]"), message));
            }
        }
    }
    Ok((!out.is_empty()).then_some(out))
}

fn encode_function<'a>(function: &'a FunctionTool, index: usize, warnings: &mut Warnings) -> FunctionDeclaration<'a> {
    if function.strict == Some(true) {
        warnings.dropped(format!("tools[{index}].strict"), "Gemini has no strict mode of one tool");
    }
    if function.cache.is_some() {
        warnings.dropped("cache_control", "Gemini caches by itself");
    }
    for (_, field) in function.extra.foreign_to(GEMINI) {
        warnings.dropped(format!("tools[{index}].{field}"), "Gemini has no such field");
    }
    FunctionDeclaration {
        name: Some(Str::from(&function.name)),
        description: function.description.as_ref().map(Str::from),
        parameters_json_schema: function.parameters.clone(),
        rest: function.extra.fields(GEMINI).map(|(field, value)| (field.clone(), value.clone())).collect(),
        ..Default::default()
    }
}

fn encode_choice<'a>(choice: Option<&'a ToolChoice>, has_functions: bool, warnings: &mut Warnings) -> Option<ToolConfig<'a>> {
    let choice = choice?;
    if !has_functions {
        // Gemini refuses the configuration of functions that are not there.
        if !matches!(choice, ToolChoice::Auto | ToolChoice::None) {
            warnings.dropped("tool_choice", "there are no functions to choose from");
        }
        return None;
    }
    let (mode, names) = match choice {
        ToolChoice::Auto => ("AUTO", None),
        ToolChoice::None => ("NONE", None),
        ToolChoice::Required => ("ANY", None),
        ToolChoice::Function(name) => ("ANY", Some(std::slice::from_ref(name))),
        ToolChoice::Allowed { names, required } => (if *required { "ANY" } else { "VALIDATED" }, Some(names.as_slice())),
    };
    let config = FunctionCallingConfig {
        mode: Some(mode.into()),
        allowed_function_names: names.map(|names| names.iter().map(Str::from).collect()),
        ..Default::default()
    };
    Some(ToolConfig { function_calling_config: Some(config), ..Default::default() })
}

fn encode_generation<'a>(request: &'a ChatRequest, family: Family, warnings: &mut Warnings) -> GenerationConfig<'a> {
    let sampling = &request.sampling;
    let mut config = GenerationConfig {
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k.map(Int::from),
        candidate_count: request.candidates.map(|count| Int::from(u64::from(count))),
        max_output_tokens: request.max_tokens.map(Int::from),
        stop_sequences: (!request.stop.is_empty()).then(|| request.stop.iter().map(Str::from).collect()),
        seed: sampling.seed.map(Int).filter(|seed| {
            let fits = i32::try_from(seed.0).is_ok();
            if !fits {
                warnings.dropped("seed", "Gemini takes 32 bits");
            }
            fits
        }),
        presence_penalty: sampling.presence_penalty,
        frequency_penalty: sampling.frequency_penalty,
        response_logprobs: request.logprobs.map(|_| true),
        logprobs: request.logprobs.and_then(|logprobs| logprobs.top).map(|top| Int::from(u64::from(top))),
        thinking_config: request.reasoning.as_ref().and_then(|reasoning| family::encode(reasoning, family, warnings)),
        ..GenerationConfig::default()
    };
    match &request.output {
        OutputFormat::Text => {}
        OutputFormat::Json => config.response_mime_type = Some("application/json".into()),
        OutputFormat::JsonSchema { description, schema, .. } => {
            config.response_mime_type = Some("application/json".into());
            config.response_json_schema = Some(described(schema, description.as_deref()));
        }
    }
    config
}

/// The schema with the description that the caller gave beside it.
fn described(schema: &Value, description: Option<&str>) -> Value {
    let mut schema = schema.clone();
    if let (Value::Object(fields), Some(description)) = (&mut schema, description) {
        fields.entry("description").or_insert_with(|| description.into());
    }
    schema
}

/// Labels are 1 to 63 of `[a-z0-9_-]`; Gemini refuses others.
fn encode_labels(request: &ChatRequest, warnings: &mut Warnings) -> Option<std::collections::BTreeMap<String, String>> {
    let plain = |text: &str| {
        text.len() <= 63 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    };
    let mut labels = std::collections::BTreeMap::new();
    for (key, value) in &request.metadata {
        if plain(key) && plain(value) && key.starts_with(|c: char| c.is_ascii_lowercase()) {
            labels.insert(key.clone(), value.clone());
        } else {
            warnings.dropped(format!("metadata.{key}"), "Gemini's labels are up to 63 of a-z, 0-9, _ and -");
        }
    }
    (!labels.is_empty()).then_some(labels)
}

fn encode_tier<'a>(tier: Option<&'a str>, warnings: &mut Warnings) -> Option<Str<'a>> {
    match tier? {
        tier @ ("flex" | "standard" | "priority") => Some(tier.into()),
        "auto" => None,
        // Other providers' words for the same.
        "default" | "standard_only" => Some("standard".into()),
        "fast" => Some("priority".into()),
        _ => {
            warnings.dropped("service_tier", "Gemini has flex, standard and priority");
            None
        }
    }
}
