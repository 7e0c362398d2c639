//! A caller's body to a chat request. Wrong types and missing fields are refused with their path;
//! fields without a canonical name are kept.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::super::ME;
use super::super::block::{self, Members, Origin, cache, keep, members};
use super::super::weight::EFFORT_ALONE;
use crate::chat::{
    ChatRequest, Effort, Extra, FunctionTool, HostedTool, Message, OutputFormat, Part, ReasoningConfig, Role, Tool, ToolChoice,
};
use crate::error::Result;
use crate::wire::json::{At, Json};

/// Decodes a request body.
pub(in super::super) fn decode(body: &[u8]) -> Result<ChatRequest> {
    let fields = members(Json::parse(body)?, At::Root)?;
    let mut request = ChatRequest { stream_usage: true, ..ChatRequest::default() };
    let (mut system, mut messages, mut thinks) = (None, None, false);
    for (key, value) in fields {
        if value.is_null() {
            continue;
        }
        let at = At::Root.field(&key);
        match key.as_ref() {
            "model" => request.model = value.string(at)?,
            "messages" => messages = Some(self::messages(value.array(at)?, at)?),
            "system" => system = self::system(value, at)?,
            "max_tokens" => request.max_tokens = Some(value.integer(at, 0..=u64::MAX)?),
            "tools" => request.tools = tools(value.array(at)?, at)?,
            "tool_choice" => tool_choice(members(value, at)?, at, &mut request)?,
            "thinking" => {
                thinks = true;
                thinking(value, at, &mut request)?;
            }
            "output_config" => output_config(members(value, at)?, at, &mut request)?,
            "output_format" => request.output = output_format(value, at)?,
            "temperature" => request.sampling.temperature = Some(value.number(at, 0.0..=1.0)?),
            "top_p" => request.sampling.top_p = Some(value.number(at, 0.0..=1.0)?),
            "top_k" => request.sampling.top_k = Some(value.integer(at, 0..=u64::MAX)?),
            "stop_sequences" => request.stop = strings(value.array(at)?, at)?,
            "metadata" => metadata(members(value, at)?, at, &mut request)?,
            "service_tier" => request.service_tier = Some(value.string(at)?),
            "stream" => request.stream = value.boolean(at)?,
            _ => request.extra.insert(ME, key.as_ref(), Value::from(value)),
        }
    }
    if !thinks && request.reasoning.is_some() {
        // Effort alone is not only about thinking: whether the model thinks stays its own default.
        request.extra.insert(ME, EFFORT_ALONE, true.into());
    }
    if request.model.is_empty() {
        return Err(At::Root.field("model").missing("the name of a model"));
    }
    if request.max_tokens.is_none() {
        return Err(At::Root.field("max_tokens").missing("the most tokens to generate"));
    }
    let at = At::Root.field("messages");
    let messages = messages.ok_or_else(|| at.missing("an array of messages"))?;
    if messages.0.is_empty() {
        return Err(at.invalid("is empty; send at least one message"));
    }
    let (messages, places) = messages;
    if system.is_some() {
        request.places.push("system", "", 0);
    }
    places.into_iter().for_each(|(message, first)| request.places.push(format!("messages[{message}]"), "content", first));
    request.messages = system.into_iter().chain(messages).collect();
    Ok(request)
}

fn system(system: Json<'_>, at: At<'_>) -> Result<Option<Message>> {
    let parts = system_parts(system, at)?;
    let empty = matches!(parts.as_slice(), [] | [Part::Text(_)]) && parts.iter().all(is_empty_text);
    Ok((!empty).then(|| Message::new(Role::System, parts)))
}

fn system_parts(system: Json<'_>, at: At<'_>) -> Result<Vec<Part>> {
    let parts = block::content(system, Origin::Caller, at)?;
    match parts.iter().position(|part| !matches!(part, Part::Text(_))) {
        Some(index) => {
            let at = at.item(index);
            Err(at.invalid("is no text block; system prompts hold nothing else"))
        }
        None => Ok(parts),
    }
}

fn is_empty_text(part: &Part) -> bool {
    matches!(part, Part::Text(text) if text.text.is_empty() && text.cache.is_none() && text.extra.is_empty())
}

/// Messages, and for each which of the caller's it is of and the first of its parts there.
type Placed = (Vec<Message>, Vec<(usize, usize)>);

fn messages(items: Vec<Json<'_>>, at: At<'_>) -> Result<Placed> {
    let (mut messages, mut places) = (Vec::with_capacity(items.len() + 1), Vec::with_capacity(items.len() + 1));
    for (index, item) in items.into_iter().enumerate() {
        let at = at.item(index);
        let before = messages.len();
        message(members(item, at)?, at, &mut messages)?;
        let mut first = 0;
        for message in &messages[before..] {
            places.push((index, first));
            first += message.parts.len();
        }
    }
    Ok((messages, places))
}

fn message(fields: Members<'_>, at: At<'_>, messages: &mut Vec<Message>) -> Result<()> {
    let (mut role, mut content, mut extra) = (None, None, Extra::default());
    for (key, value) in fields {
        match key.as_ref() {
            "role" => role = Some(value.text(at.field("role"))?),
            "content" => content = Some(value),
            _ => keep(&mut extra, &key, value),
        }
    }
    let role_at = at.field("role");
    let role = role.ok_or_else(|| role_at.missing("`user` or `assistant`"))?;
    let content_at = at.field("content");
    let content = content.ok_or_else(|| content_at.missing("a string or an array of content blocks"))?;
    match role.as_ref() {
        "user" => {
            let parts = block::content(content, Origin::Caller, content_at)?;
            refuse(&parts, content_at, "assistant", |part| matches!(part, Part::ToolCall(_) | Part::Reasoning(_)))?;
            user_turn(parts, extra, messages);
        }
        "assistant" => {
            let parts = block::content(content, Origin::Caller, content_at)?;
            refuse(&parts, content_at, "user", |part| matches!(part, Part::ToolResult(_)))?;
            messages.push(Message { extra, ..Message::new(Role::Assistant, parts) });
        }
        "system" => messages.push(Message { extra, ..Message::new(Role::System, system_parts(content, content_at)?) }),
        other => {
            return Err(role_at.invalid(format_args!("is `{other}`; send `user`, `assistant` or `system`")));
        }
    }
    Ok(())
}

/// Refuses blocks that belong into the other role's messages.
fn refuse(parts: &[Part], at: At<'_>, belongs: &str, wrong: fn(&Part) -> bool) -> Result<()> {
    match parts.iter().position(wrong) {
        None => Ok(()),
        Some(index) => {
            let at = at.item(index);
            Err(at.invalid(format_args!("is a block that only `{belongs}` messages may hold")))
        }
    }
}

/// Splits a user message into tool results and the rest, at their places.
fn user_turn(parts: Vec<Part>, mut extra: Extra, messages: &mut Vec<Message>) {
    let start = messages.len();
    for part in parts {
        let role = if matches!(part, Part::ToolResult(_)) { Role::Tool } else { Role::User };
        match messages[start..].last_mut() {
            Some(last) if last.role == role => last.parts.push(part),
            _ => messages.push(Message { extra: std::mem::take(&mut extra), ..Message::new(role, vec![part]) }),
        }
    }
    if messages.len() == start {
        messages.push(Message { extra, ..Message::new(Role::User, Vec::new()) });
    }
}

fn tools(items: Vec<Json<'_>>, at: At<'_>) -> Result<Vec<Tool>> {
    items.into_iter().enumerate().map(|(index, item)| tool(item, at.item(index))).collect()
}

fn tool(item: Json<'_>, at: At<'_>) -> Result<Tool> {
    match item.get("type").and_then(Json::as_str) {
        None | Some("custom") => function(members(item, at)?, at).map(Tool::Function),
        Some(kind) => {
            let kind = kind.to_owned();
            Ok(Tool::Hosted(HostedTool { dialect: ME, kind, value: Value::from(item) }))
        }
    }
}

fn function(fields: Members<'_>, at: At<'_>) -> Result<FunctionTool> {
    let mut tool = FunctionTool::default();
    for (key, value) in fields {
        if value.is_null() {
            continue;
        }
        let at = at.field(&key);
        match key.as_ref() {
            "type" => {}
            "name" => tool.name = value.string(at)?,
            "description" => tool.description = Some(value.string(at)?),
            "input_schema" => tool.parameters = Some(schema(value, at)?),
            "strict" => tool.strict = Some(value.boolean(at)?),
            "cache_control" => tool.cache = cache(value, &mut tool.extra),
            _ => keep(&mut tool.extra, &key, value),
        }
    }
    if tool.name.is_empty() {
        return Err(at.field("name").missing("the name of the tool"));
    }
    if tool.parameters.is_none() {
        return Err(at.field("input_schema").missing("a JSON Schema"));
    }
    Ok(tool)
}

fn tool_choice(fields: Members<'_>, at: At<'_>, request: &mut ChatRequest) -> Result<()> {
    let (mut kind, mut name) = (Cow::Borrowed(""), None);
    for (key, value) in fields {
        let at = at.field(&key);
        match key.as_ref() {
            "type" => kind = value.text(at)?,
            "name" if !value.is_null() => name = Some(value.string(at)?),
            "disable_parallel_tool_use" if !value.is_null() => request.parallel_tool_calls = Some(!value.boolean(at)?),
            _ => {}
        }
    }
    request.tool_choice = Some(match (kind.as_ref(), name) {
        ("auto", _) => ToolChoice::Auto,
        ("any", _) => ToolChoice::Required,
        ("none", _) => ToolChoice::None,
        ("tool", Some(name)) => ToolChoice::Function(name),
        ("tool", None) => return Err(at.field("name").missing("the name of a tool")),
        ("", _) => return Err(at.field("type").missing("auto, any, tool or none")),
        (other, _) => {
            return Err(at.field("type").invalid(format_args!("is `{other}`; send auto, any, tool or none")));
        }
    });
    Ok(())
}

fn thinking(value: Json<'_>, at: At<'_>, request: &mut ChatRequest) -> Result<()> {
    let kind = match value.get("type").and_then(Json::as_str) {
        Some(kind) => kind.to_owned(),
        None => {
            members(value, at)?;
            return Err(at.field("type").missing("enabled, adaptive or disabled"));
        }
    };
    let config = request.reasoning.get_or_insert_with(ReasoningConfig::default);
    match kind.as_str() {
        "enabled" | "adaptive" | "disabled" => {}
        // `between_tools` and what comes after it: the nearest of ours, and the whole for our own encoder.
        other => {
            match other {
                "between_tools" => config.budget_tokens = Some(0),
                _ => config.adaptive = true,
            }
            request.extra.insert(ME, "thinking", Value::from(value));
            return Ok(());
        }
    }
    let mut budget = None;
    let mut rest = Map::new();
    for (key, field) in value.object(at)? {
        let at = at.field(&key);
        match key.as_ref() {
            "type" => {}
            "budget_tokens" => budget = Some(field.integer(at, 0..=u64::MAX)?),
            "display" if matches!(&field, Json::String(display) if display == "summarized") => {
                config.include_thoughts = Some(true)
            }
            "display" if matches!(&field, Json::String(display) if display == "omitted") => config.include_thoughts = Some(false),
            _ if field.is_null() => {}
            _ => drop(rest.insert(key.into_owned(), Value::from(field))),
        }
    }
    match (kind.as_str(), budget) {
        ("enabled", None) => return Err(at.field("budget_tokens").missing("a number of tokens from 1024")),
        ("enabled", Some(budget)) if budget < 1024 => {
            let at = at.field("budget_tokens");
            return Err(at.invalid(format_args!("is {budget}; send at least 1024")));
        }
        ("enabled", budget) => {
            config.budget_tokens = budget;
            // Claude shows its thoughts unless told otherwise; other providers need to be asked.
            config.include_thoughts.get_or_insert(true);
        }
        ("disabled", _) => config.budget_tokens = Some(0),
        _ => config.adaptive = true,
    }
    if !rest.is_empty() {
        request.extra.insert(ME, "thinking", Value::Object(rest));
    }
    Ok(())
}

fn output_config(fields: Members<'_>, at: At<'_>, request: &mut ChatRequest) -> Result<()> {
    let mut rest = Map::new();
    for (key, value) in fields {
        if value.is_null() {
            continue;
        }
        let at = at.field(&key);
        match key.as_ref() {
            "effort" => {
                let effort = effort(&value.text(at)?, at)?;
                request.reasoning.get_or_insert_with(ReasoningConfig::default).effort = Some(effort);
            }
            "format" => request.output = output_format(value, at)?,
            _ => drop(rest.insert(key.into_owned(), Value::from(value))),
        }
    }
    if !rest.is_empty() {
        request.extra.insert(ME, "output_config", Value::Object(rest));
    }
    Ok(())
}

fn effort(name: &str, at: At<'_>) -> Result<Effort> {
    Ok(match name {
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        other => {
            return Err(at.invalid(format_args!("is `{other}`; send low, medium, high, xhigh or max")));
        }
    })
}

fn output_format(value: Json<'_>, at: At<'_>) -> Result<OutputFormat> {
    let (mut schema, mut kind) = (None, None);
    for (key, value) in value.object(at)? {
        let at = at.field(&key);
        match key.as_ref() {
            "type" => kind = Some(value.string(at)?),
            "schema" => schema = Some(self::schema(value, at)?),
            _ => {}
        }
    }
    let kind_at = at.field("type");
    match kind.as_deref() {
        None => Err(kind_at.missing("json_schema")),
        Some("json_schema") => {
            let schema = schema.ok_or_else(|| at.field("schema").missing("a JSON Schema"))?;
            Ok(OutputFormat::JsonSchema { name: "response".into(), description: None, schema, strict: None })
        }
        Some(other) => Err(kind_at.invalid(format_args!("is `{other}`; send json_schema"))),
    }
}

fn schema(value: Json<'_>, at: At<'_>) -> Result<Value> {
    members(value, at).map(|members| Value::from(Json::Object(members)))
}

fn metadata(fields: Members<'_>, at: At<'_>, request: &mut ChatRequest) -> Result<()> {
    let mut rest = Map::new();
    for (key, value) in fields {
        match key.as_ref() {
            _ if value.is_null() => {}
            "user_id" => request.user = Some(value.string(at.field("user_id"))?),
            _ => drop(rest.insert(key.into_owned(), Value::from(value))),
        }
    }
    if !rest.is_empty() {
        request.extra.insert(ME, "metadata", Value::Object(rest));
    }
    Ok(())
}

fn strings(items: Vec<Json<'_>>, at: At<'_>) -> Result<Vec<String>> {
    items.into_iter().enumerate().map(|(index, item)| item.string(at.item(index))).collect()
}
