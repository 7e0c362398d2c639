//! Content blocks, read: the same blocks stand in requests and in responses.
//!
//! Blocks without a canonical name (server tools and their results, search results, what comes
//! after this was written) become [`Part::Opaque`], whole.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::ME;
use crate::chat::carry::{untag, unwrap_id};
use crate::chat::{
    CacheControl, Extra, Media, MediaKind, MediaSource, Opaque, Part, Reasoning, Signature, Text, ToolCall, ToolResult,
};
use crate::error::{Error, Result};
use crate::wire::json::{At, Json};

/// An object's members, in the order of the text.
pub(super) type Members<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

/// The object's members, or a refusal.
pub(super) fn members<'a>(json: Json<'a>, at: At<'_>) -> Result<Members<'a>> {
    match json {
        Json::Object(members) => Ok(members),
        other => Err(at.wrong(&other, "an object")),
    }
}

/// The value of that name.
pub(super) fn find<'m, 'a>(members: &'m Members<'a>, key: &str) -> Option<&'m Json<'a>> {
    members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

/// A value as JSON text, without spaces.
pub(super) fn to_text(json: &Json<'_>) -> String {
    serde_json::to_string(json).expect("string keys and finite numbers serialise")
}

/// Who wrote the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A caller: its ids and signatures may carry another provider's state (see [`crate::chat::carry`]).
    Caller,
    /// A provider: what it says is its own.
    Provider,
}

/// Reads `content`: a string or an array of blocks.
pub(super) fn content(content: Json<'_>, origin: Origin, at: At<'_>) -> Result<Vec<Part>> {
    match content {
        Json::String(text) => Ok(vec![Part::text(text)]),
        Json::Array(blocks) => {
            let mut parts = Vec::with_capacity(blocks.len());
            for (index, block) in blocks.into_iter().enumerate() {
                read(block, origin, at.item(index), &mut parts)?;
            }
            Ok(parts)
        }
        other => Err(at.wrong(&other, "a string or an array of content blocks")),
    }
}

/// Reads one block and appends what it holds.
pub(super) fn read(block: Json<'_>, origin: Origin, at: At<'_>, parts: &mut Vec<Part>) -> Result<()> {
    let fields = match block {
        Json::Object(fields) => fields,
        other => return Err(at.wrong(&other, "a content block")),
    };
    let part = match find(&fields, "type") {
        None => return Err(at.field("type").missing("the kind of content block")),
        Some(Json::String(kind)) => match kind.as_ref() {
            "text" => Part::Text(text(fields, at)?),
            "image" => media(fields, MediaKind::Image, at)?,
            "document" if holds_pictures(&fields) => opaque(fields),
            "document" => media(fields, MediaKind::Document, at)?,
            "thinking" => Part::Reasoning(thinking(fields, origin, at)?),
            "redacted_thinking" => Part::Reasoning(redacted(fields, origin, at)?),
            "tool_use" => return tool_use(fields, origin, at, parts),
            "tool_result" => Part::ToolResult(tool_result(fields, origin, at)?),
            _ => opaque(fields),
        },
        Some(other) => return Err(at.field("type").wrong(other, "a string")),
    };
    parts.push(part);
    Ok(())
}

fn opaque(fields: Members<'_>) -> Part {
    Part::Opaque(Opaque { dialect: ME, value: Value::from(Json::Object(fields)) })
}

/// Whether a document is made of blocks of which some are no text: its text alone would not stand for it.
fn holds_pictures(fields: &Members<'_>) -> bool {
    let is_text = |block: &Json<'_>| block.get("type").and_then(Json::as_str) == Some("text");
    match find(fields, "source").and_then(|source| source.get("content")) {
        Some(Json::Array(blocks)) => !blocks.iter().all(is_text),
        _ => false,
    }
}

/// Reads a text block.
pub(super) fn text(fields: Members<'_>, at: At<'_>) -> Result<Text> {
    let mut part = Text::default();
    let mut given = false;
    for (key, value) in fields {
        let at = at.field(&key);
        match key.as_ref() {
            "type" => {}
            "text" => (part.text, given) = (value.string(at)?, true),
            "cache_control" => part.cache = cache(value, &mut part.extra),
            _ => keep(&mut part.extra, &key, value),
        }
    }
    if given { Ok(part) } else { Err(at.field("text").missing("a string")) }
}

fn thinking(fields: Members<'_>, origin: Origin, at: At<'_>) -> Result<Reasoning> {
    let mut part = Reasoning::default();
    for (key, value) in fields {
        let at = at.field(&key);
        match key.as_ref() {
            "thinking" => part.text = value.string(at)?,
            "signature" if !value.is_null() => part.signature = signature(&value.text(at)?, origin),
            _ => {}
        }
    }
    Ok(part)
}

fn redacted(fields: Members<'_>, origin: Origin, at: At<'_>) -> Result<Reasoning> {
    let at = at.field("data");
    let data = fields.into_iter().find(|(key, _)| key == "data").ok_or_else(|| at.missing("a string"))?.1.text(at)?;
    Ok(Reasoning { text: String::new(), redacted: true, signature: signature(&data, origin) })
}

/// A signature as its maker's; none when it is empty.
pub(super) fn signature(data: &str, origin: Origin) -> Option<Signature> {
    match origin {
        _ if data.is_empty() => None,
        Origin::Caller => Some(untag(data, ME)),
        Origin::Provider => Some(Signature { dialect: ME, data: data.to_owned() }),
    }
}

fn tool_use(fields: Members<'_>, origin: Origin, at: At<'_>, parts: &mut Vec<Part>) -> Result<()> {
    let mut part = ToolCall::default();
    for (key, value) in fields {
        let at = at.field(&key);
        match key.as_ref() {
            "type" => {}
            "id" => part.id = value.string(at)?,
            "name" => part.name = value.string(at)?,
            "input" => match value {
                Json::Object(_) => part.arguments = to_text(&value),
                other => return Err(at.wrong(&other, "an object")),
            },
            "cache_control" => part.cache = cache(value, &mut part.extra),
            // What every call is unless it says otherwise.
            "caller" if value.get("type").and_then(Json::as_str) == Some("direct") => {}
            _ => keep(&mut part.extra, &key, value),
        }
    }
    if part.id.is_empty() {
        return Err(at.field("id").missing("the id of the call"));
    }
    if part.name.is_empty() {
        return Err(at.field("name").missing("the name of the tool"));
    }
    if origin == Origin::Caller {
        let (id, carried) = unwrap_id(&part.id);
        if !carried.is_empty() {
            parts.extend(carried.reasoning.into_iter().map(Part::Reasoning));
            part.signature = carried.signature;
            part.id = id.to_owned();
        }
    }
    parts.push(Part::ToolCall(part));
    Ok(())
}

fn tool_result(fields: Members<'_>, origin: Origin, at: At<'_>) -> Result<ToolResult> {
    let mut part = ToolResult::default();
    for (key, value) in fields {
        let at = at.field(&key);
        match key.as_ref() {
            "type" => {}
            "tool_use_id" => part.call_id = unwrap_id(&value.text(at)?).0.to_owned(),
            "content" if value.is_null() => {}
            "content" => part.content = content(value, origin, at)?,
            "is_error" if value.is_null() => {}
            "is_error" => part.is_error = value.boolean(at)?,
            "cache_control" => part.cache = cache(value, &mut part.extra),
            _ => keep(&mut part.extra, &key, value),
        }
    }
    if part.call_id.is_empty() { Err(at.field("tool_use_id").missing("the id of the `tool_use` block")) } else { Ok(part) }
}

fn media(fields: Members<'_>, kind: MediaKind, at: At<'_>) -> Result<Part> {
    let (mut name, mut cached, mut extra, mut source) = (None, None, Extra::default(), None);
    for (key, value) in fields {
        let at = at.field(&key);
        match key.as_ref() {
            "type" => {}
            "source" => source = Some(media_source(value, kind, &mut extra, at)?),
            "title" if kind == MediaKind::Document => name = if value.is_null() { None } else { Some(value.string(at)?) },
            "cache_control" => cached = cache(value, &mut extra),
            _ => keep(&mut extra, &key, value),
        }
    }
    let source = source.ok_or_else(|| at.field("source").missing("an object"))?;
    Ok(Part::Media(Media { kind, source, name, detail: None, cache: cached, signature: None, extra }))
}

fn media_source(source: Json<'_>, kind: MediaKind, extra: &mut Extra, at: At<'_>) -> Result<MediaSource> {
    if source.get("type").and_then(Json::as_str) != Some("content") {
        return plain_source(source, kind, at);
    }
    // Blocks as a document: their text stands for them elsewhere, the whole comes back here.
    let whole = Value::from(source);
    let text = match &whole["content"] {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => return Err(at.field("content").missing("a string or an array")),
    };
    extra.insert(ME, "source", whole);
    Ok(MediaSource::Text { text })
}

fn plain_source(source: Json<'_>, kind: MediaKind, at: At<'_>) -> Result<MediaSource> {
    let mut fields = members(source, at)?;
    let mut take = |key: &str| -> Result<String> {
        let at = at.field(key);
        let found = fields.iter().position(|(name, _)| name == key).ok_or_else(|| at.missing("a string"))?;
        fields.swap_remove(found).1.string(at)
    };
    match (take("type")?.as_str(), kind) {
        ("base64", _) => {
            let (mime, data) = (take("media_type")?, take("data")?);
            check_base64(&data, at.field("data"))?;
            Ok(MediaSource::Base64 { mime, data })
        }
        ("url", _) => Ok(MediaSource::Url { mime: None, url: take("url")? }),
        ("file", _) => Ok(MediaSource::File { dialect: ME, id: take("file_id")?, mime: None }),
        ("text", MediaKind::Document) => Ok(MediaSource::Text { text: take("data")? }),
        (other, MediaKind::Document) => Err(unknown_source(other, "base64, text, url, file or content", at)),
        (other, _) => Err(unknown_source(other, "base64, url or file", at)),
    }
}

fn unknown_source(kind: &str, known: &str, at: At<'_>) -> Error {
    at.field("type").invalid(format_args!("is `{kind}`; send {known}"))
}

/// Checks without decoding: alphabet, padding and length.
fn check_base64(data: &str, at: At<'_>) -> Result<()> {
    let body = data.trim_end_matches('=');
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() | (*byte == b'+') | (*byte == b'/');
    // Chunks are checked without an early exit, which vectorises; images are megabytes.
    let alphabet = body.as_bytes().chunks(4096).all(|chunk| chunk.iter().fold(true, |all, byte| all & allowed(byte)));
    // The last group is decoded, which catches wrong padding.
    let tail = &data.as_bytes()[data.len().saturating_sub(4)..];
    if !data.is_empty() && alphabet && data.len().is_multiple_of(4) && STANDARD.decode(tail).is_ok() {
        return Ok(());
    }
    Err(at.invalid("is not base64; send the standard alphabet, padded, without a `data:` prefix"))
}

/// Reads `cache_control`. What is more than a lifetime is kept as it is.
pub(super) fn cache(value: Json<'_>, extra: &mut Extra) -> Option<CacheControl> {
    if value.is_null() {
        return None;
    }
    let plain = match &value {
        Json::Object(fields) => fields.iter().all(|(key, field)| match (key.as_ref(), field) {
            ("type", Json::String(kind)) => kind == "ephemeral",
            ("ttl", Json::String(_)) => true,
            _ => false,
        }),
        _ => false,
    };
    if plain && value.get("type").and_then(Json::as_str).is_some() {
        return Some(CacheControl { ttl: value.get("ttl").and_then(Json::as_str).map(str::to_owned) });
    }
    extra.insert(ME, "cache_control", Value::from(value));
    None
}

/// Keeps a field without a canonical name. `null` says the same as nothing.
pub(super) fn keep(extra: &mut Extra, key: &str, value: Json<'_>) {
    if !value.is_null() {
        extra.insert(ME, key, Value::from(value));
    }
}
