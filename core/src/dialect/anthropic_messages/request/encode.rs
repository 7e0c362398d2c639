//! A chat request to a body: the parameters.
//!
//! | canonical | here |
//! |---|---|
//! | temperature 0 to 2 | clamped to 0 to 1; left out for models that take no sampling parameters |
//! | temperature, top_p and top_k while thinking | what the API refuses is left out |
//! | JSON object mode | an instruction in the system text |
//! | JSON schema | `output_config.format`; an instruction for models that do not know it |
//! | user | `metadata.user_id` |
//! | service tier `auto`; `default`, `standard` | `auto`; `standard_only` |
//! | several candidates | `Unsupported` |
//! | log probabilities, seed, penalties, labels | left out |
//!
//! Each of these is a warning, but for what means the same.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::super::ME;
use super::super::generation::{Generation, SamplingRule};
use super::super::weight::EFFORT_ALONE;
use super::super::wire::{self, Block, Fields};
use super::{conversation, reasoning, schema, tools};
use crate::chat::{ChatRequest, OutputFormat, Tool, WarningCode, Warnings};
use crate::dialect::{EncodedRequest, Target};
use crate::error::{Error, Result};

/// Features of the API that a beta header switches on: the tool's kind or the field's name, and the header's value.
const BETAS: [(&str, &str); 11] = [
    ("computer_20241022", "computer-use-2024-10-22"),
    ("bash_20241022", "computer-use-2024-10-22"),
    ("text_editor_20241022", "computer-use-2024-10-22"),
    ("computer_20250124", "computer-use-2025-01-24"),
    ("computer_20251124", "computer-use-2025-11-24"),
    ("code_execution_20250522", "code-execution-2025-05-22"),
    ("advisor_20260301", "advisor-tool-2026-03-01"),
    ("mcp_toolset", "mcp-client-2025-11-20"),
    ("mcp_servers", "mcp-client-2025-11-20"),
    ("context_management", "context-management-2025-06-27"),
    ("speed", "fast-mode-2026-02-01"),
];

/// Encodes `request` for `target`.
pub(in super::super) fn encode(request: &ChatRequest, target: Target<'_>, warnings: &mut Warnings) -> Result<EncodedRequest> {
    if request.candidates.is_some_and(|candidates| candidates > 1) {
        let message = format!("`{}` gives one answer a request; send the request several times instead.", target.provider);
        return Err(Error::unsupported("n", message));
    }
    request.check_for(ME, target.provider)?;
    conversation::foreign(&request.extra, warnings, String::new);
    left_out(request, warnings);
    let generation = Generation::of(target.model);
    let mut conversation = conversation::encode(&request.messages, target, warnings)?;
    let tools = tools::encode(request, &mut conversation, target, warnings)?;
    let plan = reasoning::plan(request, &conversation, tools.forced, target, warnings);
    let format = output_format(request, &generation, target, &mut conversation.system, warnings);
    let sampling = sampling(request, &generation, plan.on, warnings);
    let body = wire::Request {
        model: target.model,
        max_tokens: plan.max_tokens,
        system: conversation.system,
        messages: conversation.messages,
        tools: tools.tools,
        tool_choice: tools.choice,
        thinking: plan.thinking,
        output_config: output_config(request, plan.effort, format),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop_sequences: stop_sequences(request, warnings),
        metadata: metadata(request),
        service_tier: service_tier(request, warnings),
        stream: request.stream,
        extra: Fields { extra: &request.extra, but: &["thinking", "output_config", "metadata", EFFORT_ALONE] },
    };
    let body = serde_json::to_vec(&body)
        .map_err(|error| Error::new(crate::ErrorKind::Internal, "The request could not be written.").source(error))?;
    Ok(EncodedRequest { body: body.into(), headers: betas(request, target).into_iter().collect() })
}

/// Warns of what the API has no field for.
fn left_out(request: &ChatRequest, warnings: &mut Warnings) {
    let sampling = &request.sampling;
    let fields = [
        ("frequency_penalty", sampling.frequency_penalty.is_some_and(|penalty| penalty != 0.0)),
        ("presence_penalty", sampling.presence_penalty.is_some_and(|penalty| penalty != 0.0)),
        ("seed", sampling.seed.is_some()),
        ("logprobs", request.logprobs.is_some()),
        ("metadata", !request.metadata.is_empty()),
    ];
    for (field, _) in fields.into_iter().filter(|(_, given)| *given) {
        warnings.dropped(field, "");
    }
}

/// Sampling parameters as they are sent.
#[derive(Default)]
struct Sampling {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
}

fn sampling(request: &ChatRequest, generation: &Generation, thinking: bool, warnings: &mut Warnings) -> Sampling {
    let wanted = &request.sampling;
    let mut sampling = Sampling { temperature: wanted.temperature, top_p: wanted.top_p, top_k: wanted.top_k };
    if let Some(temperature) = sampling.temperature.as_mut().filter(|temperature| !(0.0..=1.0).contains(*temperature)) {
        *temperature = temperature.clamp(0.0, 1.0);
        warnings.push(WarningCode::Approximated, "temperature", "Claude's range ends at 1");
    }
    // Which of them go, and why. A temperature of 1 and a top_p of 1 are the defaults: leaving them out loses nothing.
    let (why, hot, nucleus, top) = match (generation.sampling, thinking) {
        (SamplingRule::Defaults, _) => ("this model takes no sampling parameters", true, true, true),
        (_, true) => ("thinking excludes it", true, sampling.top_p.is_some_and(|top_p| top_p < 0.95), true),
        (SamplingRule::OneOfTwo, false) => {
            ("this model takes temperature or top_p", false, sampling.temperature.is_some(), false)
        }
        (SamplingRule::Any, false) => return sampling,
    };
    if hot && sampling.temperature.take().is_some_and(|temperature| temperature != 1.0) {
        warnings.dropped("temperature", why);
    }
    if nucleus && sampling.top_p.take().is_some_and(|top_p| top_p < 1.0) {
        warnings.dropped("top_p", why);
    }
    if top && sampling.top_k.take().is_some() {
        warnings.dropped("top_k", why);
    }
    sampling
}

/// `output_config.format`, or an instruction where the model has none.
fn output_format<'a>(
    request: &'a ChatRequest,
    generation: &Generation,
    target: Target<'_>,
    system: &mut Vec<Block<'a>>,
    warnings: &mut Warnings,
) -> Option<Value> {
    let schema = match &request.output {
        OutputFormat::Text => return None,
        OutputFormat::Json => {
            system.push(Block::text("Answer only with a JSON object, without other text and without code fences."));
            warnings.push(WarningCode::Approximated, "response_format", "an instruction asks for JSON");
            return None;
        }
        OutputFormat::JsonSchema { schema, description, .. } => describe(schema, description.as_deref()),
    };
    if !generation.schemas || target.quirks.no_json_schema {
        let instruction =
            format!("Answer only with JSON that matches this JSON Schema, without other text and without code fences:\n{schema}");
        system.push(Block::text(instruction));
        warnings.push(WarningCode::Approximated, "response_format", "an instruction holds the schema");
        return None;
    }
    let schema = match schema::supported(&schema) {
        None => schema.into_owned(),
        Some((rewritten, lost)) => {
            if lost {
                let why = "some schema constraints became descriptions";
                warnings.push(WarningCode::Approximated, "response_format.json_schema.schema", why);
            }
            rewritten
        }
    };
    Some(json!({ "type": "json_schema", "schema": schema }))
}

/// The schema with the description that the caller gave beside it.
fn describe<'a>(schema: &'a Value, description: Option<&str>) -> Cow<'a, Value> {
    match (schema, description) {
        (Value::Object(fields), Some(description)) if !fields.contains_key("description") => {
            let mut fields = fields.clone();
            fields.insert("description".into(), description.into());
            Cow::Owned(Value::Object(fields))
        }
        _ => Cow::Borrowed(schema),
    }
}

fn output_config(request: &ChatRequest, effort: Option<&'static str>, format: Option<Value>) -> Option<Value> {
    let mut config = Map::new();
    config.extend(effort.map(|effort| ("effort".to_owned(), effort.into())));
    config.extend(format.map(|format| ("format".to_owned(), format)));
    merge(&mut config, request, "output_config");
    (!config.is_empty()).then_some(Value::Object(config))
}

fn metadata(request: &ChatRequest) -> Option<Value> {
    let mut metadata = Map::new();
    metadata.extend(request.user.as_ref().map(|user| ("user_id".to_owned(), user.as_str().into())));
    merge(&mut metadata, request, "metadata");
    (!metadata.is_empty()).then_some(Value::Object(metadata))
}

/// Adds what the caller wrote in `field` beside the fields with a canonical name.
fn merge(object: &mut Map<String, Value>, request: &ChatRequest, field: &str) {
    if let Some(Value::Object(rest)) = request.extra.field(ME, field) {
        object.extend(rest.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// Stop texts; the API refuses blank ones.
fn stop_sequences<'a>(request: &'a ChatRequest, warnings: &mut Warnings) -> Vec<&'a str> {
    let (blank, kept): (Vec<&str>, Vec<&str>) = request.stop.iter().map(String::as_str).partition(|stop| stop.trim().is_empty());
    if !blank.is_empty() {
        warnings.dropped("stop", "Claude takes no blank stop sequences");
    }
    kept
}

fn service_tier<'a>(request: &'a ChatRequest, warnings: &mut Warnings) -> Option<&'a str> {
    match request.service_tier.as_deref()? {
        "auto" => Some("auto"),
        // The others' words for it.
        "standard_only" | "default" | "standard" => Some("standard_only"),
        other => {
            warnings.dropped("service_tier", format!("Claude has no tier {other}"));
            None
        }
    }
}

/// The beta header that the request's features need, for providers that know it.
fn betas(request: &ChatRequest, target: Target<'_>) -> Option<(HeaderName, HeaderValue)> {
    if !target.quirks.beta_headers {
        return None;
    }
    let hosted = request.tools.iter().filter_map(|tool| match tool {
        Tool::Hosted(hosted) if hosted.dialect == ME => Some(hosted.kind.as_str()),
        _ => None,
    });
    let features: Vec<&str> = hosted.chain(request.extra.fields(ME).map(|(field, _)| field.as_str())).collect();
    let mut betas: Vec<&str> = BETAS.iter().filter(|(feature, _)| features.contains(feature)).map(|(_, beta)| *beta).collect();
    betas.dedup();
    let value = HeaderValue::try_from(betas.join(",")).ok().filter(|value| !value.is_empty())?;
    Some((HeaderName::from_static("anthropic-beta"), value))
}
