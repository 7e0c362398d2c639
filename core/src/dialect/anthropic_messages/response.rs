//! Whole responses, both ways, and the names of stop reasons.
//!
//! | `stop_reason` | canonical |
//! |---|---|
//! | `end_turn`, `stop_sequence` | `Stop` |
//! | `max_tokens`, `model_context_window_exceeded` | `Length` |
//! | `tool_use` | `ToolCalls` |
//! | `refusal` | `ContentFilter` |
//! | `pause_turn` | `Pause` |
//!
//! Invariant: a stream's events and the whole response of the same answer decode to the same
//! [`ChatResponse`]; [`head`] and [`finish`] are shared for that.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::ME;
use super::block::{self, Members, Origin, members};
use super::usage::{self, Counters, Written};
use super::wire::{Answer, Block, Caller, Fields};
use crate::chat::carry::{Carried, tag, wrap_id};
use crate::chat::{
    ChatResponse, Choice, Extra, Finish, FinishReason, Part, Reasoning, ResponseHead, Signature, ToolCall, WarningCode, Warnings,
};
use crate::dialect::Reply;
use crate::error::{Error, ErrorKind, Result};
use crate::wire::json::{At, Json};

/// Decodes a whole response.
pub(super) fn decode(body: &[u8]) -> Result<ChatResponse> {
    let tree = Json::read(body).map_err(unreadable)?;
    let mut fields = members(tree, At::Root).map_err(unreadable)?;
    let content = match fields.iter().position(|(key, _)| key == "content") {
        Some(index) => fields.remove(index).1,
        None => return Err(unreadable("no `content`")),
    };
    let parts = block::content(content, Origin::Provider, At::Root.field("content")).map_err(unreadable)?;
    let mut message = head(fields);
    let finish = finish(&mut message.end);
    keep_all(&mut message.head.extra, message.end);
    if !message.usage_rest.is_empty() {
        message.head.extra.insert(ME, "usage", Value::Object(message.usage_rest));
    }
    Ok(ChatResponse {
        id: message.head.id,
        model: message.head.model,
        created: None,
        choices: vec![Choice { parts, finish, ..Choice::default() }],
        usage: message.counters.map(|counters| counters.usage()),
        service_tier: message.head.service_tier,
        extra: message.head.extra,
    })
}

fn unreadable(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::UpstreamInvalid, "The provider's answer could not be understood.").source(cause)
}

/// A message but for its content.
pub(super) struct MessageHead {
    pub(super) head: ResponseHead,
    /// What says how the message ended: null in `message_start`, given in `message_delta`.
    pub(super) end: Map<String, Value>,
    pub(super) counters: Option<Counters>,
    /// Fields of `usage` without a canonical name.
    pub(super) usage_rest: Map<String, Value>,
}

/// Reads a message's fields other than its content.
pub(super) fn head(fields: Members<'_>) -> MessageHead {
    let mut head = ResponseHead::default();
    let (mut end, mut counters, mut usage_rest) = (Map::new(), None, Map::new());
    for (key, value) in fields {
        match (key.as_ref(), value) {
            ("id", Json::String(id)) => head.id = id.into_owned(),
            ("model", Json::String(model)) => head.model = model.into_owned(),
            ("type" | "role" | "content" | "id" | "model", _) | (_, Json::Null) => {}
            ("usage", value) => {
                let (read, tier, rest) = usage::read(&Value::from(value));
                (counters, head.service_tier, usage_rest) = (Some(read), tier, rest);
            }
            ("stop_reason" | "stop_sequence" | "stop_details" | "container", value) => {
                end.insert(key.into_owned(), Value::from(value));
            }
            (_, value) => block::keep(&mut head.extra, &key, value),
        }
    }
    MessageHead { head, end, counters, usage_rest }
}

/// Takes the stop reason out of `end`: `stop_reason` and `stop_sequence`.
pub(super) fn finish(end: &mut Map<String, Value>) -> FinishReason {
    let mut take = |key: &str| match end.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let raw = take("stop_reason").unwrap_or_default();
    FinishReason { unified: unified(&raw), stop_sequence: take("stop_sequence"), raw }
}

/// Keeps what is left of `end` (`stop_details`, `container`).
fn keep_all(extra: &mut Extra, end: Map<String, Value>) {
    extra.extend(ME, end.into_iter().filter(|(_, value)| !value.is_null()).collect());
}

fn unified(raw: &str) -> Finish {
    match raw {
        "end_turn" | "stop_sequence" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        "pause_turn" => Finish::Pause,
        _ => Finish::Other,
    }
}

/// The `stop_reason` to write. `calls` and `refused` say what the answer held.
pub(super) fn stop_reason(finish: &FinishReason, calls: bool, refused: bool) -> &'static str {
    if let Some(own) = own_stop_reason(&finish.raw) {
        return own;
    }
    match finish.unified {
        _ if refused => "refusal",
        Finish::Stop if calls => "tool_use",
        Finish::Stop if finish.stop_sequence.is_some() => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
        Finish::Pause => "pause_turn",
        Finish::Stop | Finish::Error | Finish::Other => "end_turn",
    }
}

/// A reason that Anthropic gave, in its words. No other protocol has one of these.
fn own_stop_reason(raw: &str) -> Option<&'static str> {
    const OWN: [&str; 8] = [
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
        "compaction",
    ];
    OWN.into_iter().find(|own| *own == raw)
}

/// Encodes a whole response. Lost content is a warning; other providers' fields beside it (ratings,
/// fingerprints) are not: a caller who asks here never asked for them.
pub(super) fn encode(response: &ChatResponse, reply: &Reply, warnings: &mut Warnings) -> Bytes {
    let empty = Choice::default();
    let choice = response.choices.first().unwrap_or(&empty);
    if response.choices.len() > 1 {
        warnings.dropped("choices", "only the first answer has a place");
    }
    if !choice.logprobs.is_empty() {
        warnings.dropped("logprobs", "no field for it");
    }
    let calls = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let stop_reason = stop_reason(&choice.finish, calls, refused);
    if stop_reason == "end_turn" && choice.finish.unified != Finish::Stop && !choice.finish.raw.is_empty() {
        warnings.push(WarningCode::Approximated, "stop_reason", format!("the provider said `{}`", choice.finish.raw));
    }
    let own = |field| response.extra.field(ME, field);
    let answer = Answer {
        id: &message_id(&response.id, reply),
        kind: "message",
        role: "assistant",
        model: if response.model.is_empty() { &reply.model } else { &response.model },
        content: choice.parts.iter().filter_map(|part| content_block(part, warnings)).collect(),
        stop_reason: Some(stop_reason),
        stop_sequence: choice.finish.stop_sequence.as_deref(),
        stop_details: own("stop_details"),
        container: own("container"),
        usage: Written::new(&response.usage.unwrap_or_default(), response.service_tier.as_deref(), own("usage")),
        extra: Fields { extra: &response.extra, but: &["usage", "stop_details", "container"] },
    };
    serde_json::to_vec(&answer).expect("strings, numbers and JSON serialise").into()
}

/// The message's id: the provider's, or one made from the request's.
pub(super) fn message_id<'a>(given: &'a str, reply: &Reply) -> Cow<'a, str> {
    if given.is_empty() { Cow::Owned(format!("msg_{}", reply.id)) } else { Cow::Borrowed(given) }
}

fn content_block<'a>(part: &'a Part, warnings: &mut Warnings) -> Option<Block<'a>> {
    match part {
        Part::Text(text) => {
            for (owner, field) in text.extra.foreign_to(ME) {
                warnings.dropped(format!("content.{field}"), format!("only {} has it", owner.name()));
            }
            Some(Block::Text { text: text.text.as_str().into(), cache_control: None, extra: Some(Fields::of(&text.extra)) })
        }
        Part::Refusal(refusal) => Some(Block::text(refusal.text.as_str())),
        Part::Reasoning(reasoning) => thinking_block(reasoning),
        Part::ToolCall(call) => Some(tool_use_block(call, warnings)),
        Part::Opaque(opaque) if opaque.dialect == ME => Some(Block::Opaque(&opaque.value)),
        Part::Opaque(opaque) => {
            warnings.dropped("content", format!("a block that only {} understands", opaque.dialect.name()));
            None
        }
        Part::Media(_) => {
            warnings.dropped("content", "this protocol has no media in answers");
            None
        }
        Part::ToolResult(_) => None,
    }
}

/// Thinking as this protocol shows it; another provider's signature is tagged with its maker.
fn thinking_block(reasoning: &Reasoning) -> Option<Block<'_>> {
    let signature = reasoning.signature.as_ref().map(|signature| tag(signature, ME));
    match signature {
        Some(data) if reasoning.redacted => Some(Block::RedactedThinking { data: data.into() }),
        None if reasoning.redacted => None,
        signature => Some(Block::Thinking { thinking: &reasoning.text, signature: signature.unwrap_or_default().into() }),
    }
}

fn tool_use_block<'a>(call: &'a ToolCall, warnings: &mut Warnings) -> Block<'a> {
    Block::ToolUse {
        id: call_id(&call.id, call.signature.as_ref()),
        name: &call.name,
        input: input(&call.arguments, warnings),
        caller: call.extra.field(ME, "caller").is_none().then_some(Caller::Direct),
        cache_control: None,
        extra: Fields::of(&call.extra),
    }
}

/// The id that the caller sees; another provider's signature of the call rides in it.
pub(super) fn call_id<'a>(id: &'a str, signature: Option<&Signature>) -> Cow<'a, str> {
    match signature.filter(|signature| signature.dialect != ME) {
        None => Cow::Borrowed(id),
        Some(signature) => wrap_id(id, &Carried { reasoning: Vec::new(), signature: Some(signature.clone()) }).into(),
    }
}

/// Arguments as an object. What a model wrote instead (a call cut short, say) is shown under one name.
fn input<'a>(arguments: &'a str, warnings: &mut Warnings) -> Cow<'a, RawValue> {
    let owned = |json: String| Cow::Owned(RawValue::from_string(json).expect("what was just serialised is JSON"));
    match serde_json::from_str::<&RawValue>(arguments) {
        Ok(raw) if raw.get().starts_with('{') => Cow::Borrowed(raw),
        _ if arguments.trim().is_empty() => owned("{}".into()),
        _ => {
            warnings.push(WarningCode::Approximated, "content.input", "the model wrote no JSON object");
            owned(serde_json::json!({ "arguments": arguments }).to_string())
        }
    }
}
