//! Canonical messages to a provider's.

use std::borrow::Cow;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::encoding::Encoding;
use super::super::{DIALECT, part, request, tool};
use super::merge_details;
use crate::chat::{ChatRequest, Message, Part, Role, Text, ToolCall, ToolResult};
use crate::error::Result;
use crate::wire::json::At;
use crate::wire::json_writer::{Array, Object};

/// Encodes `messages`.
pub(in super::super) fn encode(request: &ChatRequest, object: &mut Object<'_>, encoding: &mut Encoding<'_, '_>) -> Result<()> {
    let mut instruction = request::format_instruction(request, encoding);
    let mut moved = Vec::new();
    let messages_at = At::Root.field("messages");
    let mut messages = object.array("messages");
    for (index, message) in request.messages.iter().enumerate() {
        let at = messages_at.item(index);
        if !matches!(message.role, Role::System | Role::Developer) {
            // After the leading instructions, where it stays however long the conversation grows.
            if let Some(instruction) = instruction.take() {
                instruct(&mut messages, &instruction);
            }
        }
        for (number, part) in message.parts.iter().enumerate() {
            if let Part::ToolResult(result) = part {
                encode_result(result, message, (index, number), &mut messages, &mut moved, encoding)?;
            }
        }
        if message.role == Role::Tool {
            continue;
        }
        encode_moved(&mut moved, request, &mut messages, encoding)?;
        if message.role == Role::Assistant {
            encode_assistant(message, at, &mut messages, encoding)?;
        } else {
            encode_plain(message, at, &mut messages, encoding)?;
        }
    }
    encode_moved(&mut moved, request, &mut messages, encoding)?;
    if let Some(instruction) = instruction {
        instruct(&mut messages, &instruction);
    }
    Ok(())
}

fn instruct(messages: &mut Array<'_>, instruction: &str) {
    let mut object = messages.object();
    object.field("role", "system");
    object.field("content", instruction);
}

/// A message of the system, a developer or the user.
fn encode_plain(message: &Message, at: At<'_>, messages: &mut Array<'_>, encoding: &mut Encoding<'_, '_>) -> Result<()> {
    let role = match message.role {
        Role::Developer if !encoding.target.quirks.no_developer_role => "developer",
        Role::System | Role::Developer => "system",
        _ => "user",
    };
    let parts: Vec<_> = message.parts.iter().filter(|part| !matches!(part, Part::ToolResult(_))).collect();
    if parts.is_empty() && !message.parts.is_empty() {
        return Ok(());
    }
    let mut object = messages.object();
    object.field("role", role);
    object.some("name", &message.name);
    encode_content(&parts, at, "\n", &mut object, encoding)?;
    encoding.extra(&mut object, &message.extra, at, &[]);
    Ok(())
}

/// Encodes `content`: a string where one will do, else an array of parts. What a model wrote in several
/// parts is one text, so its `separator` is empty; what callers wrote in several is kept apart.
fn encode_content(
    parts: &[&Part],
    at: At<'_>,
    separator: &str,
    object: &mut Object<'_>,
    encoding: &mut Encoding<'_, '_>,
) -> Result<()> {
    let text_only = parts.iter().all(|part| matches!(part, Part::Text(_)));
    let plain = text_only && !parts.iter().any(|part| part::needs_array(part, encoding));
    let one = parts.len() <= 1 || separator.is_empty();
    if (plain && one) || (text_only && encoding.target.quirks.text_as_string) {
        let mut content = Cow::Borrowed("");
        for (index, part) in parts.iter().enumerate() {
            let Part::Text(text) = part else { continue };
            encoding.text_is_bare(text, at);
            match index {
                0 => content = Cow::Borrowed(text.text.as_str()),
                _ => content.to_mut().extend([separator, text.text.as_str()]),
            }
        }
        object.field("content", &content);
        return Ok(());
    }
    let at = at.field("content");
    let mut content = object.array("content");
    parts.iter().enumerate().try_for_each(|(index, part)| part::encode(part, at.item(index), &mut content, encoding))
}

fn encode_assistant(message: &Message, at: At<'_>, messages: &mut Array<'_>, encoding: &mut Encoding<'_, '_>) -> Result<()> {
    let mut content = Vec::new();
    let mut calls = Vec::new();
    let mut reasoning = String::new();
    let mut details = Vec::new();
    let mut refusal: Option<Cow<'_, str>> = None;
    for (index, part) in message.parts.iter().enumerate() {
        let content_at = at.field("content");
        let at = content_at.item(index);
        match part {
            Part::Text(_) => content.push(part),
            Part::ToolCall(_) => calls.push(part),
            Part::Opaque(opaque) if opaque.dialect != DIALECT => encoding.dropped(at, "a block of another protocol"),
            Part::Opaque(opaque) if opaque.value.get("type").and_then(Value::as_str) == Some("custom") => calls.push(part),
            Part::Opaque(_) => content.push(part),
            Part::Refusal(more) => refusal.get_or_insert_default().to_mut().push_str(&more.text),
            Part::Media(_) => return Err(encoding.refuse(at, "is a medium in an assistant's message")),
            Part::ToolResult(_) => {}
            Part::Reasoning(part) => {
                encoding.signature(&part.signature, at);
                if let Some(signature) = part.signature.as_ref().filter(|signature| signature.dialect == DIALECT) {
                    // Parsed again because callers returned it: nothing of theirs is sent as raw JSON.
                    merge_details(&mut details, serde_json::from_str(&signature.data).unwrap_or_default());
                }
                reasoning.push_str(&part.text);
            }
        }
    }
    let mut object = messages.object();
    object.field("role", "assistant");
    object.some("name", &message.name);
    let elsewhere = !calls.is_empty() || message.extra.field(DIALECT, "audio").is_some();
    match content.is_empty() && elsewhere {
        true => object.field("content", &()),
        false => encode_content(&content, at, "", &mut object, encoding)?,
    }
    object.some("refusal", &refusal);
    if encoding.target.quirks.reasoning_content && !reasoning.is_empty() {
        object.field("reasoning_content", &reasoning);
    }
    if encoding.target.quirks.reasoning_details && !details.is_empty() {
        object.field("reasoning_details", &details);
    }
    if !calls.is_empty() {
        let calls_at = at.field("tool_calls");
        let mut array = object.array("tool_calls");
        for (index, call) in calls.iter().enumerate() {
            match call {
                Part::ToolCall(call) => encode_call(call, calls_at.item(index), &mut array, encoding),
                Part::Opaque(call) => array.item(&call.value),
                _ => {}
            }
        }
    }
    encoding.extra(&mut object, &message.extra, at, &[]);
    Ok(())
}

fn encode_call(call: &ToolCall, at: At<'_>, calls: &mut Array<'_>, encoding: &mut Encoding<'_, '_>) {
    let mut object = calls.object();
    object.field("id", &call_id(&call.id, encoding));
    object.field("type", "function");
    let mut function = object.object("function");
    function.field("name", &call.name);
    function.field("arguments", arguments(&call.arguments));
    drop(function);
    if call.cache.is_some() {
        encoding.cache_is_lost();
    }
    object.some(tool::EXTRA_CONTENT, &tool::extra_content(&call.signature));
    encoding.extra(&mut object, &call.extra, at, &[]);
}

/// No arguments are `{}` here: clients and chat templates parse the text.
pub(in super::super) fn arguments(text: &str) -> &str {
    if text.trim_ascii().is_empty() { "{}" } else { text }
}

/// The id as the provider takes it. A shortened one is derived, so that call and result agree.
fn call_id<'c>(id: &'c str, encoding: &Encoding<'_, '_>) -> Cow<'c, str> {
    let short = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if short || !encoding.target.quirks.short_tool_ids {
        return Cow::Borrowed(id);
    }
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    Cow::Owned(Sha256::digest(id).iter().take(9).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// Media of a tool's result that have to stand in a message of their own.
struct Moved<'r> {
    result: &'r ToolResult,
    parts: Vec<&'r Part>,
    /// The message and the part of it that they came from.
    place: (usize, usize),
}

/// A tool's result as a message; what cannot stand in one is left in `moved`.
fn encode_result<'r>(
    result: &'r ToolResult,
    message: &Message,
    place: (usize, usize),
    messages: &mut Array<'_>,
    moved: &mut Vec<Moved<'r>>,
    encoding: &mut Encoding<'_, '_>,
) -> Result<()> {
    let at = At::Root.field("messages");
    let at = at.item(place.0);
    let (mut stays, goes): (Vec<&Part>, Vec<&Part>) =
        result.content.iter().partition(|part| matches!(part, Part::Text(_) | Part::Opaque(_)));
    let (note, marked);
    if stays.is_empty() {
        note = match (goes.is_empty(), result.is_error) {
            (false, _) => Part::text("The result is in the next user message."),
            (true, true) => Part::text("The tool failed and gave no reason."),
            (true, false) => Part::text(""),
        };
        stays.push(&note);
    }
    if result.is_error {
        encoding.approximated(at.field("is_error"), "no field for failed calls; the result's text must say it");
    }
    if !goes.is_empty() {
        encoding.moved(at.field("content"), "media of a tool's result go to the next user message");
        moved.push(Moved { result, parts: goes, place });
    }
    if let (true, Some(Part::Text(text))) = (encoding.keeps_cache(&result.cache), stays.last()) {
        marked = Part::Text(Text { cache: result.cache.clone(), ..text.clone() });
        stays.pop();
        stays.push(&marked);
    } else if result.cache.is_some() && !matches!(stays.last(), Some(Part::Text(text)) if encoding.keeps_breakpoint(&text.extra))
    {
        encoding.cache_is_lost();
    }
    let mut object = messages.object();
    object.field("role", "tool");
    object.field("tool_call_id", &call_id(&result.call_id, encoding));
    object.some("name", &result.name);
    encode_content(&stays, at, "\n", &mut object, encoding)?;
    encoding.extra(&mut object, &result.extra, at, &[]);
    encoding.extra(&mut object, &message.extra, at, &[]);
    Ok(())
}

/// The media of tool results, in one user message after them: results must follow their calls directly.
fn encode_moved(
    moved: &mut Vec<Moved<'_>>,
    request: &ChatRequest,
    messages: &mut Array<'_>,
    encoding: &mut Encoding<'_, '_>,
) -> Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    let mut object = messages.object();
    object.field("role", "user");
    let mut content = object.array("content");
    for Moved { result, parts, place } in moved.drain(..) {
        let id = call_id(&result.call_id, encoding);
        let name = result.name.as_deref().or_else(|| called(request, &result.call_id));
        let tool = name.map(|name| format!(" of {name}")).unwrap_or_default();
        part::encode(&Part::text(format!("The result{tool} (call {id}):")), At::Root, &mut content, encoding)?;
        let at = At::Root.field("messages");
        let at = at.item(place.0);
        let at = at.field("content");
        let at = at.item(place.1);
        parts.iter().try_for_each(|part| part::encode(part, at, &mut content, encoding))?;
    }
    Ok(())
}

/// The name of the function that the call with this id asked for.
fn called<'r>(request: &'r ChatRequest, id: &str) -> Option<&'r str> {
    request.messages.iter().flat_map(|message| &message.parts).find_map(|part| match part {
        Part::ToolCall(call) if call.id == id => Some(call.name.as_str()),
        _ => None,
    })
}
