//! Callers' messages to canonical ones.

use std::borrow::Cow;

use serde_json::Value;

use super::super::{DIALECT, part, tool};
use crate::chat::{CacheControl, Message, Opaque, Part, Reasoning, Refusal, Role, Signature, Text, ToolCall, ToolResult, carry};
use crate::error::Result;
use crate::wire::json::{At, Json};

/// Decodes `messages`.
pub(in super::super) fn decode(messages: Json<'_>, at: At<'_>) -> Result<Vec<Message>> {
    let mut functions = FunctionCalls::default();
    let decode = |(index, message)| decode_message(message, at.item(index), index, &mut functions);
    messages.array(at)?.into_iter().enumerate().map(decode).collect()
}

/// Ties legacy `function` messages to the calls before them: neither has an id.
#[derive(Default)]
struct FunctionCalls(Vec<(String, String)>);

impl FunctionCalls {
    fn called(&mut self, name: &str, message: usize) -> String {
        let id = format!("call_function_{message}");
        self.0.push((name.to_owned(), id.clone()));
        id
    }

    fn answered(&self, name: &str, message: usize) -> String {
        let call = self.0.iter().rev().find(|(called, _)| called == name);
        call.map_or_else(|| format!("call_function_{message}"), |(_, id)| id.clone())
    }
}

/// The fields of a message, of whatever role.
#[derive(Default)]
struct Fields<'a> {
    content: Option<Vec<Part>>,
    refusal: Option<String>,
    reasoning: Option<String>,
    details: Option<Value>,
    calls: Vec<(ToolCall, Vec<Reasoning>)>,
    custom_calls: Vec<Part>,
    call_id: Option<Cow<'a, str>>,
    cache: Option<CacheControl>,
}

fn decode_message(message: Json<'_>, at: At<'_>, index: usize, functions: &mut FunctionCalls) -> Result<Message> {
    if !matches!(message, Json::Object(_)) {
        return Err(at.wrong(&message, r#"an object such as {"role": "user", "content": "..."}"#));
    }
    const ROLES: &str = "`system`, `developer`, `user`, `assistant` or `tool`";
    let (role, legacy) = match message.get("role") {
        None => return Err(at.field("role").missing(ROLES)),
        Some(role) => match role.as_str() {
            Some("system") => (Role::System, false),
            Some("developer") => (Role::Developer, false),
            Some("user") => (Role::User, false),
            Some("assistant") => (Role::Assistant, false),
            Some("tool") => (Role::Tool, false),
            Some("function") => (Role::Tool, true),
            Some(_) => return Err(at.field("role").invalid(format_args!("is not known; send {ROLES}"))),
            None => return Err(at.field("role").wrong(role, ROLES)),
        },
    };
    let mut decoded = Message::new(role, Vec::new());
    let mut fields = Fields::default();
    for (key, value) in message.object(at)? {
        let at = at.field(&key);
        match (&*key, role) {
            ("role", _) => {}
            ("content", _) => fields.content = Some(part::decode_content(value, at)?),
            ("name", _) => decoded.name = Some(value.string(at)?),
            ("cache_control", _) => fields.cache = Some(part::cache_control(value, at)?),
            ("tool_call_id", Role::Tool) => fields.call_id = Some(value.text(at)?),
            ("refusal", Role::Assistant) => fields.refusal = Some(value.string(at)?),
            ("reasoning_content" | "reasoning", Role::Assistant) => fields.reasoning = Some(value.string(at)?),
            ("reasoning_details", Role::Assistant) => fields.details = Some(value.into()),
            ("tool_calls", Role::Assistant) => decode_calls(value, at, &mut fields)?,
            ("function_call", Role::Assistant) => {
                let mut call = ToolCall::default();
                decode_function(value, at, &mut call)?;
                call.id = functions.called(&call.name, index);
                fields.calls.push((call, Vec::new()));
            }
            _ => decoded.extra.insert(DIALECT, key, value.into()),
        }
    }
    match role {
        Role::Assistant => decoded.parts = fields.assistant(),
        Role::Tool => decoded.parts = vec![fields.result(&mut decoded.name, at, legacy.then_some(index), functions)?],
        _ => {
            decoded.parts = fields.content.ok_or_else(|| at.field("content").missing("a string or an array of content parts"))?
        }
    }
    if let (Some(cache), Some(last)) = (fields.cache, decoded.parts.last_mut()) {
        *match last {
            Part::Text(part) => &mut part.cache,
            Part::Media(part) => &mut part.cache,
            Part::ToolCall(part) => &mut part.cache,
            Part::ToolResult(part) => &mut part.cache,
            Part::Reasoning(_) | Part::Refusal(_) | Part::Opaque(_) => return Ok(decoded),
        } = Some(cache);
    }
    Ok(decoded)
}

impl Fields<'_> {
    /// The parts of an assistant's message, in the order in which a model makes them.
    fn assistant(&mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        let carried = self.calls.iter().any(|(_, reasoning)| !reasoning.is_empty());
        let text = self.reasoning.take().unwrap_or_default();
        match self.details.take() {
            // The ids hold what the readable text shows, with its signatures.
            _ if carried => {}
            Some(Value::Array(details)) if !details.is_empty() => parts.push(Part::Reasoning(detailed(text, details))),
            _ if !text.is_empty() => parts.push(Part::Reasoning(Reasoning { text, ..Reasoning::default() })),
            _ => {}
        }
        let mut calls = std::mem::take(&mut self.calls).into_iter();
        let first = calls.next();
        let first = first.map(|(call, reasoning)| {
            parts.extend(reasoning.into_iter().map(Part::Reasoning));
            call
        });
        // An empty string is how many clients say that there is no text beside the calls.
        let silent = |part: &Part| matches!(part, Part::Text(text) if *text == Text::default());
        parts.extend(self.content.take().unwrap_or_default().into_iter().filter(|part| !silent(part)));
        parts.extend(self.refusal.take().map(|text| Part::Refusal(Refusal { text })));
        parts.extend(first.map(Part::ToolCall));
        for (call, reasoning) in calls {
            parts.extend(reasoning.into_iter().map(Part::Reasoning));
            parts.push(Part::ToolCall(call));
        }
        parts.append(&mut self.custom_calls);
        parts
    }

    fn result(
        &mut self,
        name: &mut Option<String>,
        at: At<'_>,
        legacy: Option<usize>,
        functions: &FunctionCalls,
    ) -> Result<Part> {
        let name = name.take();
        let call_id = match (legacy, &name, &self.call_id) {
            (Some(_), None, _) => return Err(at.field("name").missing("the function's name")),
            (Some(index), Some(name), _) => functions.answered(name, index),
            (None, _, Some(id)) => carry::unwrap_id(id).0.to_owned(),
            (None, _, None) => return Err(at.field("tool_call_id").missing("the `id` of the call that this answers")),
        };
        let mut content = self.content.take().ok_or_else(|| at.field("content").missing("the tool's result, as a string"))?;
        // A marker on the last part marks the result.
        let cache = match content.last_mut() {
            Some(Part::Text(last)) => last.cache.take(),
            _ => None,
        };
        Ok(Part::ToolResult(ToolResult { call_id, name, content, cache, ..ToolResult::default() }))
    }
}

/// Reasoning that OpenRouter wants back unchanged: its JSON is the signature.
pub(in super::super) fn detailed(text: String, details: Vec<Value>) -> Reasoning {
    let data = Value::Array(details).to_string();
    Reasoning { text, redacted: false, signature: Some(Signature { dialect: DIALECT, data }) }
}

/// Adds pieces of `reasoning_details`. Those of one type and index are one entry: texts are appended, other fields filled in.
pub(in super::super) fn merge_details(details: &mut Vec<Value>, more: Vec<Value>) {
    for piece in more {
        let same =
            |entry: &&mut Value| !piece["index"].is_null() && entry["index"] == piece["index"] && entry["type"] == piece["type"];
        let (Some(Value::Object(entry)), Value::Object(fields)) = (details.iter_mut().rev().take(16).find(same), &piece) else {
            details.push(piece);
            continue;
        };
        for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            match (entry.get_mut(key), value) {
                (Some(Value::String(text)), Value::String(more)) if matches!(key.as_str(), "text" | "summary" | "data") => {
                    text.push_str(more)
                }
                _ => drop(entry.insert(key.clone(), value.clone())),
            }
        }
    }
}

fn decode_calls(calls: Json<'_>, at: At<'_>, fields: &mut Fields<'_>) -> Result<()> {
    for (index, call) in calls.array(at)?.into_iter().enumerate() {
        let at = at.item(index);
        if call.get("type").and_then(Json::as_str) == Some("custom") {
            fields.custom_calls.push(Part::Opaque(Opaque { dialect: DIALECT, value: call.into() }));
            continue;
        }
        let mut decoded = ToolCall::default();
        let mut reasoning = Vec::new();
        let mut found = false;
        for (key, value) in call.object(at)? {
            let at = at.field(&key);
            match &*key {
                // Streamed calls come back with their `index` in some clients.
                "type" | "index" => {}
                "id" => {
                    let id = value.text(at)?;
                    let (id, carried) = carry::unwrap_id(&id);
                    decoded.id = id.to_owned();
                    decoded.signature = carried.signature.or(decoded.signature);
                    reasoning = carried.reasoning;
                }
                tool::EXTRA_CONTENT => {
                    let value = Value::from(value);
                    match tool::signature(&value) {
                        Some(signature) => decoded.signature = decoded.signature.or(Some(signature)),
                        None => decoded.extra.insert(DIALECT, key, value),
                    }
                }
                "function" => {
                    decode_function(value, at, &mut decoded)?;
                    found = true;
                }
                _ => decoded.extra.insert(DIALECT, key, value.into()),
            }
        }
        if decoded.id.is_empty() {
            return Err(at.field("id").missing("the call's id, as the model gave it"));
        }
        if !found {
            return Err(at.field("function").missing(r#"an object such as {"name": "...", "arguments": "{}"}"#));
        }
        fields.calls.push((decoded, reasoning));
    }
    Ok(())
}

fn decode_function(function: Json<'_>, at: At<'_>, call: &mut ToolCall) -> Result<()> {
    for (key, value) in function.object(at)? {
        let at = at.field(&key);
        match &*key {
            "name" => call.name = value.string(at)?,
            "arguments" => {
                call.arguments = match value {
                    Json::String(text) => text.into_owned(),
                    object @ Json::Object(_) => Value::from(object).to_string(),
                    other => return Err(at.wrong(&other, "the arguments as JSON text")),
                }
            }
            _ => {}
        }
    }
    if call.name.is_empty() { Err(at.field("name").missing("the function's name")) } else { Ok(()) }
}
