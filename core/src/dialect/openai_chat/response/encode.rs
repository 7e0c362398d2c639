//! A canonical response to a caller's.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use super::super::{DIALECT, message, part, tool, usage};
use super::{finish_word, tier_word};
use crate::chat::carry::{self, Carried};
use crate::chat::{
    ChatResponse, Choice, Extra, FinishReason, Media, MediaKind, MediaSource, Part, Signature, TokenLogProb, ToolCall,
    WarningCode, Warnings,
};
use crate::dialect::Reply;
use crate::wire::json_writer::{Array, Object};

/// Encodes a whole response. What is said and has no place is a warning; what another provider tells
/// about its answer is not (see [`crate::chat`]).
pub(in super::super) fn encode(response: &ChatResponse, reply: &Reply, warnings: &mut Warnings) -> Bytes {
    let mut body = Vec::with_capacity(1024);
    let mut object = Object::begin(&mut body);
    object.field("id", &*response_id(&response.id, reply));
    object.field("object", "chat.completion");
    object.field("created", &response.created.unwrap_or(reply.created));
    object.field("model", if response.model.is_empty() { &reply.model } else { &response.model });
    let mut choices = object.array("choices");
    for choice in &response.choices {
        encode_choice(choice, reply, &mut choices, warnings);
    }
    drop(choices);
    if let Some(usage) = &response.usage {
        usage::encode(&mut object, usage);
    }
    object.some("service_tier", &tier_word(response.service_tier.as_deref()));
    response.extra.fields(DIALECT).for_each(|(key, value)| object.field(key, value));
    drop(object);
    body.into()
}

/// The provider's id, or one made of the request's.
pub(in super::super) fn response_id<'r>(id: &'r str, reply: &Reply) -> Cow<'r, str> {
    if id.is_empty() { format!("chatcmpl-{}", reply.id).into() } else { id.into() }
}

/// What a provider attached to a part (citations, say) is lost; what it tells of the answer as a whole
/// (safety ratings, fingerprints) is no loss that a caller could do something about.
fn foreign(extra: &Extra, at: &str, warnings: &mut Warnings) {
    for (dialect, key) in extra.foreign_to(DIALECT) {
        warnings.dropped(format!("{at}{key}"), format!("a field of {}", dialect.name()));
    }
}

fn encode_choice(choice: &Choice, reply: &Reply, choices: &mut Array<'_>, warnings: &mut Warnings) {
    let at = format!("choices[{}].", choice.index);
    let mut object = choices.object();
    object.field("index", &choice.index);
    encode_message(choice, reply, &at, &mut object.object("message"), warnings);
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)))
        && !choice.parts.iter().any(|part| matches!(part, Part::Text(_)));
    if choice.logprobs.is_empty() {
        object.field("logprobs", &());
    } else {
        encode_logprobs(&mut object, &choice.logprobs, refused);
    }
    encode_finish(&mut object, &choice.finish, reply);
    if !finish_word(&choice.finish, reply.function_call).1 {
        let why = format!("the provider said `{}`", choice.finish.raw);
        warnings.push(WarningCode::Approximated, format!("{at}finish_reason"), why);
    }
    for (key, value) in choice.extra.fields(DIALECT).filter(|(key, _)| *key != "message") {
        object.field(key, value);
    }
}

/// Adds `finish_reason`, the provider's own word where it is another one, and the stop text it met.
pub(in super::super) fn encode_finish(object: &mut Object<'_>, finish: &FinishReason, reply: &Reply) {
    let (word, _) = finish_word(finish, reply.function_call);
    object.field("finish_reason", word);
    if !finish.raw.is_empty() && finish.raw != word {
        object.field("native_finish_reason", &finish.raw);
    }
    object.some("stop_reason", &finish.stop_sequence);
}

/// Adds `logprobs`, under `refusal` when the answer is one.
pub(in super::super) fn encode_logprobs(object: &mut Object<'_>, tokens: &[TokenLogProb], refused: bool) {
    fn list(array: &mut Array<'_>, tokens: &[TokenLogProb], nested: bool) {
        for token in tokens {
            let mut object = array.object();
            object.field("token", &token.token);
            object.field("logprob", &token.logprob);
            object.field("bytes", &token.bytes);
            if !nested {
                list(&mut object.array("top_logprobs"), &token.top, true);
            }
        }
    }
    let mut logprobs = object.object("logprobs");
    let (holds, other) = if refused { ("refusal", "content") } else { ("content", "refusal") };
    list(&mut logprobs.array(holds), tokens, false);
    logprobs.field(other, &());
}

fn encode_message(choice: &Choice, reply: &Reply, at: &str, message: &mut Object<'_>, warnings: &mut Warnings) {
    let (mut text, mut reasoning, mut refusal) = (None::<String>, String::new(), None::<String>);
    let (mut function, mut calls, mut images) = (None, Vec::new(), Vec::new());
    let (mut audio, mut annotations, mut details) = (None, Vec::new(), None);
    let mut carried = Carried::default();
    for part in &choice.parts {
        match part {
            Part::Text(part) => {
                text.get_or_insert_default().push_str(&part.text);
                if let Some(Value::Array(more)) = part.extra.field(DIALECT, "annotations") {
                    annotations.extend(more);
                }
                foreign(&part.extra, &format!("{at}message."), warnings);
            }
            Part::Reasoning(part) => {
                reasoning.push_str(&part.text);
                match &part.signature {
                    Some(signature) if signature.dialect == DIALECT => {
                        details = serde_json::from_str::<Value>(&signature.data).ok()
                    }
                    Some(_) => carried.reasoning.push(part.clone()),
                    None => {}
                }
            }
            Part::ToolCall(call) => {
                carried.signature = foreign_signature(&call.signature);
                let carried = std::mem::take(&mut carried);
                if reply.function_call && function.is_none() {
                    function = Some(call);
                    if !carried.is_empty() {
                        warnings.dropped(format!("{at}message.function_call"), "no id in which its signature could ride");
                    }
                } else {
                    calls.push((carry::wrap_id(&call.id, &carried), part));
                }
                foreign(&call.extra, &format!("{at}message.tool_calls."), warnings);
            }
            Part::Refusal(part) => refusal.get_or_insert_default().push_str(&part.text),
            Part::Media(media) if media.kind == MediaKind::Image => images.push(media),
            Part::Media(media) if media.kind == MediaKind::Audio && audio.is_none() => audio = Some(media),
            Part::Opaque(opaque) if opaque.dialect == DIALECT => match opaque.value["type"].as_str() {
                Some("custom") => calls.push((String::new(), part)),
                _ => warnings.dropped(format!("{at}message.content"), "a chunk that text cannot hold"),
            },
            Part::Opaque(opaque) => {
                warnings.dropped(format!("{at}message.content"), format!("a block of {}", opaque.dialect.name()))
            }
            Part::Media(_) | Part::ToolResult(_) => warnings.dropped(format!("{at}message.content"), "no field for such media"),
        }
    }
    message.field("role", "assistant");
    let empty = function.is_none() && calls.is_empty() && refusal.is_none() && audio.is_none() && images.is_empty();
    message.field("content", &text.or_else(|| empty.then(String::new)));
    message.field("refusal", &refusal);
    if !reasoning.is_empty() {
        message.field("reasoning_content", &reasoning);
    }
    message.some("reasoning_details", &details);
    if !annotations.is_empty() {
        message.field("annotations", &annotations);
    }
    if let Some(call) = function {
        encode_function(&mut message.object("function_call"), call);
    }
    if !calls.is_empty() {
        let mut array = message.array("tool_calls");
        for (id, part) in &calls {
            match part {
                Part::ToolCall(call) => encode_call(&mut array.object(), id, call),
                Part::Opaque(call) => array.item(&call.value),
                _ => {}
            }
        }
    }
    if let Some(media) = audio {
        encode_audio(message, media, reply);
    }
    encode_images(message, &images);
    if let Some(Value::Object(unknown)) = choice.extra.field(DIALECT, "message") {
        unknown.iter().for_each(|(key, value)| message.field(key, value));
    }
}

fn encode_function(function: &mut Object<'_>, call: &ToolCall) {
    function.field("name", &call.name);
    function.field("arguments", message::arguments(&call.arguments));
}

/// A signature that has to ride in the call's id: this dialect's own has a field.
pub(in super::super) fn foreign_signature(signature: &Option<Signature>) -> Option<Signature> {
    signature.clone().filter(|signature| signature.dialect != DIALECT)
}

/// Fills a tool call's object.
fn encode_call(object: &mut Object<'_>, id: &str, call: &ToolCall) {
    object.field("id", id);
    object.field("type", "function");
    encode_function(&mut object.object("function"), call);
    object.some(tool::EXTRA_CONTENT, &tool::extra_content(&call.signature));
    call.extra.fields(DIALECT).for_each(|(key, value)| object.field(key, value));
}

/// Adds `images`, as OpenRouter does for models that make them.
pub(in super::super) fn encode_images(object: &mut Object<'_>, images: &[&Media]) {
    if images.is_empty() {
        return;
    }
    let mut array = object.array("images");
    for image in images {
        let mut image_object = array.object();
        image_object.field("type", "image_url");
        let mut url = image_object.object("image_url");
        match &image.source {
            MediaSource::Base64 { mime, data } => url.field("url", &part::DataUrl { mime, data }),
            MediaSource::Url { url: address, .. } => url.field("url", address),
            MediaSource::File { id, .. } => url.field("url", id),
            MediaSource::Text { text } => url.field("url", text),
        }
    }
}

/// Adds `audio`; what another protocol does not give is filled in, because the SDKs' types need it.
pub(in super::super) fn encode_audio(object: &mut Object<'_>, media: &Media, reply: &Reply) {
    let own = |field: &str| media.extra.field(DIALECT, field);
    let mut audio = object.object("audio");
    match own("id") {
        Some(id) => audio.field("id", id),
        None => audio.field("id", &format!("audio_{}", reply.id)),
    }
    match &media.source {
        MediaSource::Base64 { data, .. } => audio.field("data", data),
        _ => audio.field("data", ""),
    }
    audio.field("expires_at", own("expires_at").unwrap_or(&Value::from(reply.created)));
    audio.field("transcript", own("transcript").unwrap_or(&Value::from("")));
}
