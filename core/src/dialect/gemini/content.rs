//! Parts, both ways.
//!
//! | Gemini | canonical |
//! |---|---|
//! | `text` | [`Text`], or [`Reasoning`] when `thought` is set |
//! | `inlineData`, `fileData` | [`Media`](crate::chat::Media), see [`super::media`] |
//! | `functionCall` | [`ToolCall`]; arguments stay text |
//! | `functionResponse` | [`ToolResult`] |
//! | `executableCode`, `codeExecutionResult`, `toolCall`, a thought's picture, whatever is new | [`Opaque`], whole |
//! | `thoughtSignature` | the signature of that part |
//! | `videoMetadata`, `partMetadata`, `mediaResolution`, ... | the part's extra |
//!
//! A result's `response` is an object: JSON objects are sent as they are, other text as
//! `{"result": text}`, or `{"error": text}` when the tool failed; `{}` is an empty result.
//!
//! Invariant: a signature leaves only as it came. Callers get those of other providers tagged
//! ([`carry`]); providers get their own alone.

use std::borrow::Cow;
use std::fmt::Display;

use serde_json::{Map, Value, json};

use super::family::Family;
use super::json::{compact, object, raw};
use super::wire::{FunctionCall, FunctionResponse, Json, Str};
use super::{media, wire};
use crate::chat::{Extra, Opaque, Part, Reasoning, Signature, Text, ToolCall, ToolResult, WarningCode, Warnings, carry};
use crate::dialect::DialectId;
use crate::error::{Error, Result};

const GEMINI: DialectId = DialectId::Gemini;
/// What Google documents for calls that come from elsewhere (ai.google.dev/gemini-api/docs/thought-signatures).
/// Read, it says the same as no signature.
pub(super) const UNSIGNED: &str = "skip_thought_signature_validator";
/// Marks a tagged signature that is the whole (encrypted) reasoning. No provider's own begins so: `:` is not base64.
const REDACTED: &str = "redacted:";

/// What is wrong with a part: where in it, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) at: &'static str,
    pub(super) why: &'static str,
}

/// Decodes a part. `invent` makes the id of a call that has none.
pub(super) fn decode(part: wire::Part<'_>, invent: &mut dyn FnMut(&str) -> String) -> Result<Part, Flaw> {
    let datas = [
        part.text.is_some(),
        part.inline_data.is_some(),
        part.file_data.is_some(),
        part.function_call.is_some(),
        part.function_response.is_some(),
    ];
    if datas.into_iter().filter(|is| *is).count() > 1 {
        return Err(Flaw { at: "", why: "a part holds one of text, inlineData, fileData, functionCall and functionResponse" });
    }
    // A picture among the thoughts is no part of the answer, and no protocol else has such thoughts.
    let drafted = part.thought == Some(true) && (part.inline_data.is_some() || part.file_data.is_some());
    if drafted || part.function_response.is_some() || (!datas.contains(&true) && !part.rest.is_empty()) {
        let value = serde_json::to_value(&part).expect("parts serialise");
        return Ok(Part::Opaque(Opaque { dialect: GEMINI, value }));
    }
    let wire::Part { text, thought, inline_data, file_data, function_call, thought_signature, rest, .. } = part;
    let signature = thought_signature.filter(|data| !matches!(&**data, "" | UNSIGNED)).map(|data| carry::untag(&data, GEMINI));
    let thought = thought == Some(true);
    if let Some(call) = function_call {
        return decode_call(*call, signature, rest, invent).map(Part::ToolCall);
    }
    if inline_data.is_some() || file_data.is_some() {
        let mut media = match (inline_data, file_data) {
            (Some(blob), _) => media::decode_blob(*blob)?,
            (None, file) => media::decode_file(*file.expect("one of the two is there"))?,
        };
        media.signature = signature;
        media.extra.extend(GEMINI, rest);
        return Ok(Part::Media(media));
    }
    let text = text.map(Str::into_string).unwrap_or_default();
    Ok(if thought { Part::Reasoning(decode_thought(text, signature)) } else { Part::Text(decode_text(text, signature, rest)) })
}

fn decode_text(text: String, signature: Option<Signature>, rest: Map<String, Value>) -> Text {
    let mut text = Text { text, signature, ..Text::default() };
    text.extra.extend(GEMINI, rest);
    text
}

fn decode_thought(text: String, mut signature: Option<Signature>) -> Reasoning {
    let mut redacted = false;
    if let Some(foreign) = signature.as_mut().filter(|signature| signature.dialect != GEMINI)
        && let Some(data) = foreign.data.strip_prefix(REDACTED)
    {
        foreign.data = data.to_owned();
        redacted = true;
    }
    Reasoning { text, redacted, signature }
}

fn decode_call(
    call: FunctionCall<'_>,
    signature: Option<Signature>,
    rest: Map<String, Value>,
    invent: &mut dyn FnMut(&str) -> String,
) -> Result<ToolCall, Flaw> {
    let name = call.name.filter(|name| !name.is_empty());
    let name = name.ok_or(Flaw { at: ".functionCall.name", why: "a function call needs the function's name" })?.into_string();
    let arguments = match call.args {
        None => String::new(),
        Some(Json(args)) if args.get().starts_with('{') => compact(args.get()),
        Some(_) => return Err(Flaw { at: ".functionCall.args", why: "args is an object" }),
    };
    let id = call.id.filter(|id| !id.is_empty()).map_or_else(|| invent(&name), Str::into_string);
    let mut extra = Extra::default();
    extra.extend(GEMINI, rest);
    nest(&mut extra, "functionCall.", call.rest);
    Ok(ToolCall { id, name, arguments, signature, extra, ..ToolCall::default() })
}

/// An id for a call that came without one. Only `[A-Za-z0-9_-]`, which every protocol takes.
pub(super) fn invented_id(base: &str, number: usize) -> String {
    let base: String = base.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    format!("call_{base}_{number}")
}

/// Decodes a function response. The call's id is left as it came; empty when it has none.
pub(super) fn decode_result(wire: FunctionResponse<'_>, rest: Map<String, Value>) -> Result<ToolResult, Flaw> {
    let name = wire.name.filter(|name| !name.is_empty());
    let name = name.ok_or(Flaw { at: ".functionResponse.name", why: "a function response needs the function's name" })?;
    let (text, is_error) = match &wire.response {
        None => (String::new(), false),
        Some(Json(response)) if response.get().starts_with('{') => answer(response.get()),
        Some(_) => return Err(Flaw { at: ".functionResponse.response", why: "response is an object" }),
    };
    let mut content: Vec<Part> = (!text.is_empty()).then(|| Part::text(text)).into_iter().collect();
    for part in wire.parts.unwrap_or_default() {
        match decode(part, &mut |name| invented_id(name, 0))? {
            part @ Part::Media(_) => content.push(part),
            _ => {
                return Err(Flaw {
                    at: ".functionResponse.parts",
                    why: "parts of a function response hold inlineData or fileData",
                });
            }
        }
    }
    let mut extra = Extra::default();
    extra.extend(GEMINI, rest);
    nest(&mut extra, "functionResponse.", wire.rest);
    let call_id = wire.id.map(Str::into_string).unwrap_or_default();
    Ok(ToolResult { call_id, name: Some(name.into_string()), content, is_error, cache: None, extra })
}

/// The text of a response object, and whether it tells of an error.
fn answer(response: &str) -> (String, bool) {
    let fields: Map<String, Value> = serde_json::from_str(response).unwrap_or_default();
    let only = if fields.len() == 1 { fields.into_iter().next() } else { None };
    match only {
        Some((key, Value::String(text))) if key == "result" => (text, false),
        Some((key, Value::String(text))) if key == "error" => (text, true),
        Some((key, value)) if key == "error" => (value.to_string(), true),
        _ => match compact(response) {
            empty if empty == "{}" => (String::new(), false),
            text => (text, false),
        },
    }
}

/// Keeps the unknown fields of an inner message under `prefix` and their name.
pub(super) fn nest(extra: &mut Extra, prefix: &str, rest: Map<String, Value>) {
    for (field, value) in rest {
        extra.insert(GEMINI, format!("{prefix}{field}"), value);
    }
}

/// Appends a part that a model said, joining what a stream had cut:
///
/// | last part | next part | becomes |
/// |---|---|---|
/// | thought without signature | thought that is not redacted | one thought |
/// | text without signature | no text, but a signature | the text, signed |
/// | text without signature | text, first of the next content (`seam`) | one text |
/// | | no text, no signature | nothing |
pub(super) fn join(parts: &mut Vec<Part>, part: Part, seam: bool) {
    match (parts.last_mut(), part) {
        (_, Part::Text(next)) if next.text.is_empty() && next.signature.is_none() && next.extra.is_empty() => {}
        (_, Part::Reasoning(next)) if next.text.is_empty() && next.signature.is_none() => {}
        (Some(Part::Reasoning(last)), Part::Reasoning(next)) if last.signature.is_none() && !next.redacted => {
            last.text.push_str(&next.text);
            last.signature = next.signature;
        }
        (Some(Part::Text(last)), Part::Text(next))
            if last.signature.is_none()
                && last.extra.is_empty()
                && next.extra.is_empty()
                && (seam || (next.text.is_empty() && next.signature.is_some())) =>
        {
            last.text.push_str(&next.text);
            last.signature = next.signature;
        }
        (_, part) => parts.push(part),
    }
}

/// Who reads what is encoded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reader {
    /// A Gemini model.
    Provider(Family),
    /// A caller who will send it back.
    Caller,
}

impl Reader {
    /// The signature as this reader gets it, if it does.
    pub(super) fn signature<'a>(self, signature: Option<&'a Signature>) -> Option<Str<'a>> {
        let signature = signature?;
        match self {
            _ if signature.dialect == GEMINI => Some(Str::from(&signature.data)),
            Self::Provider(_) => None,
            Self::Caller => Some(carry::tag(signature, GEMINI).into()),
        }
    }

    /// The signature of a piece of reasoning.
    pub(super) fn thought_signature(self, reasoning: &Reasoning) -> Option<Str<'_>> {
        match (self, &reasoning.signature) {
            (Self::Caller, Some(signature)) if reasoning.redacted => {
                let marked = Signature { dialect: signature.dialect, data: format!("{REDACTED}{}", signature.data) };
                Some(carry::tag(&marked, GEMINI).into())
            }
            (_, signature) => self.signature(signature.as_ref()),
        }
    }
}

/// Encodes a part other than a tool's result; `None` when nothing of it is sent. `at` is its path.
pub(super) fn encode<'a>(
    part: &'a Part,
    at: &dyn Display,
    reader: Reader,
    warnings: &mut Warnings,
) -> Result<Option<wire::Part<'a>>> {
    Ok(match part {
        Part::Text(text) => {
            note_cache(text.cache.is_some(), warnings);
            let thought_signature = reader.signature(text.signature.as_ref());
            let rest = own(&text.extra, at, warnings).0;
            let empty = text.text.is_empty() && thought_signature.is_none();
            (!empty).then(|| wire::Part { text: Some(Str::from(&text.text)), thought_signature, rest, ..Default::default() })
        }
        Part::Reasoning(reasoning) => {
            let thought_signature = reader.thought_signature(reasoning);
            if reasoning.signature.is_some() && thought_signature.is_none() {
                warnings.dropped(at.to_string(), "reasoning of another provider");
                return Ok(None);
            }
            let empty = reasoning.text.is_empty() && thought_signature.is_none();
            (!empty).then(|| wire::Part {
                text: Some(Str::from(&reasoning.text)),
                thought: Some(true),
                thought_signature,
                ..Default::default()
            })
        }
        Part::Refusal(refusal) => {
            if matches!(reader, Reader::Provider(_)) {
                warnings.push(WarningCode::Approximated, at.to_string(), "a refusal goes as text");
            }
            (!refusal.text.is_empty()).then(|| wire::Part { text: Some(Str::from(&refusal.text)), ..Default::default() })
        }
        Part::Media(media) => media::encode_media(media, at, reader, warnings)?,
        Part::ToolCall(call) => Some(encode_call(call, at, reader, warnings)?),
        Part::Opaque(Opaque { dialect: GEMINI, value: Value::Object(fields) }) => {
            Some(wire::Part { rest: fields.clone(), ..Default::default() })
        }
        Part::Opaque(opaque) => {
            warnings.dropped(at.to_string(), format!("only {} understands it", opaque.dialect.name()));
            None
        }
        Part::ToolResult(_) => {
            warnings.dropped(at.to_string(), "a result has no place here");
            None
        }
    })
}

fn encode_call<'a>(call: &'a ToolCall, at: &dyn Display, reader: Reader, warnings: &mut Warnings) -> Result<wire::Part<'a>> {
    note_cache(call.cache.is_some(), warnings);
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    let args = object(arguments).ok_or_else(|| {
        let message = format!("The arguments of the call to `{}` are not a JSON object; Gemini takes nothing else.", call.name);
        Error::invalid(format!("{at}.arguments"), message)
    })?;
    let (rest, inner) = own(&call.extra, at, warnings);
    Ok(wire::Part {
        function_call: Some(Box::new(FunctionCall {
            id: Some(Str::from(&call.id)),
            name: Some(Str::from(&call.name)),
            args: Some(Json(Cow::Borrowed(args))),
            rest: inner,
            ..Default::default()
        })),
        thought_signature: reader.signature(call.signature.as_ref()),
        rest,
        ..Default::default()
    })
}

/// Encodes a tool's result, and the media of it that must follow the results.
pub(super) fn encode_result<'a>(
    result: &'a ToolResult,
    name: Str<'a>,
    at: &dyn Display,
    family: Family,
    warnings: &mut Warnings,
) -> Result<(wire::Part<'a>, Vec<wire::Part<'a>>)> {
    note_cache(result.cache.is_some(), warnings);
    let (mut texts, mut inside, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for part in &result.content {
        match part {
            Part::Text(text) => {
                note_cache(text.cache.is_some(), warnings);
                own(&text.extra, at, warnings);
                texts.push(text.text.as_str());
            }
            part => {
                let Some(part) = encode(part, at, Reader::Provider(family), warnings)? else { continue };
                let fits = part.inline_data.is_some() && family.media_in_results;
                if fits { inside.push(part) } else { after.push(part) }
            }
        }
    }
    if !after.is_empty() {
        warnings.push(WarningCode::Moved, at.to_string(), "media follow the results");
    }
    let text = texts.join("\n");
    let response = match object(&text) {
        Some(object) if !result.is_error => object.to_owned(),
        Some(object) => raw(&Map::from_iter([("error".to_owned(), json!(object))])),
        None if result.is_error => raw(&json!({ "error": text })),
        None if text.is_empty() => raw(&json!({})),
        None => raw(&json!({ "result": text })),
    };
    let (rest, inner) = own(&result.extra, at, warnings);
    let part = wire::Part {
        function_response: Some(Box::new(FunctionResponse {
            id: Some(Str::from(&result.call_id)),
            name: Some(name),
            response: Some(Json(Cow::Owned(response))),
            parts: (!inside.is_empty()).then_some(inside),
            rest: inner,
            ..Default::default()
        })),
        rest,
        ..Default::default()
    };
    Ok((part, after))
}

pub(super) fn note_cache(marked: bool, warnings: &mut Warnings) {
    if marked {
        warnings.dropped("cache_control", "Gemini caches by itself");
    }
}

/// This dialect's extra fields, of the part and of the message inside of it. Others' are dropped.
pub(super) fn own(extra: &Extra, at: &dyn Display, warnings: &mut Warnings) -> (Map<String, Value>, Map<String, Value>) {
    let (mut outer, mut inner) = (Map::new(), Map::new());
    if extra.is_empty() {
        return (outer, inner);
    }
    for (_, field) in extra.foreign_to(GEMINI) {
        warnings.dropped(format!("{at}.{field}"), "Gemini has no such field");
    }
    for (field, value) in extra.fields(GEMINI) {
        match field.split_once('.') {
            Some((_, field)) => inner.insert(field.to_owned(), value.clone()),
            None => outer.insert(field.clone(), value.clone()),
        };
    }
    (outer, inner)
}
