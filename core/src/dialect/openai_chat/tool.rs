//! Tools and the choice among them, both ways.
//!
//! | wire | canonical |
//! |---|---|
//! | `{"type": "function", "function": {...}}`, legacy `functions[]` | [`FunctionTool`] |
//! | any other `type` (`custom`, a provider's own) | [`HostedTool`] of this dialect, whole |
//! | `"auto"`, `"none"`, `"required"` (`"any"` at Mistral), a named function | the same |
//! | `allowed_tools` | [`ToolChoice::Allowed`]; for providers without it the list of tools is shortened |
//!
//! A tool's unknown fields are kept beside `type`, those of its `function` under `function`. A call's `extra_content` with a
//! thought signature (Google) is that call's signature of this dialect.
//!
//! Source: openai-python `types/chat/chat_completion_*tool*_param.py`.

use serde_json::{Map, Value};

use super::DIALECT;
use super::encoding::Encoding;
use super::part::cache_control;
use crate::chat::{ChatRequest, FunctionTool, HostedTool, Signature, Tool, ToolChoice};
use crate::error::Result;
use crate::wire::json::{At, Json};
use crate::wire::json_writer::{Array, Object};

/// Decodes `tools`.
pub(super) fn decode(tools: Json<'_>, at: At<'_>) -> Result<Vec<Tool>> {
    tools.array(at)?.into_iter().enumerate().map(|(index, tool)| decode_tool(tool, at.item(index))).collect()
}

/// Decodes legacy `functions`.
pub(super) fn decode_functions(functions: Json<'_>, at: At<'_>) -> Result<Vec<Tool>> {
    let function = |(index, function)| {
        let mut tool = FunctionTool::default();
        let unknown = decode_function(function, at.item(index), &mut tool)?;
        if !unknown.is_empty() {
            tool.extra.insert(DIALECT, "function", Value::Object(unknown));
        }
        Ok(Tool::Function(tool))
    };
    functions.array(at)?.into_iter().enumerate().map(function).collect()
}

fn decode_tool(tool: Json<'_>, at: At<'_>) -> Result<Tool> {
    match tool.get("type") {
        None if tool.get("function").is_some() => {}
        None => return Err(at.field("type").missing("`function`")),
        Some(Json::String(kind)) if kind == "function" => {}
        Some(Json::String(kind)) => {
            let kind = kind.to_string();
            return Ok(Tool::Hosted(HostedTool { dialect: DIALECT, kind, value: tool.into() }));
        }
        Some(other) => return Err(at.field("type").wrong(other, "`function`")),
    }
    let mut decoded = FunctionTool::default();
    let mut found = false;
    for (key, value) in tool.object(at)? {
        let at = at.field(&key);
        match &*key {
            "type" => {}
            "function" => {
                let unknown = decode_function(value, at, &mut decoded)?;
                if !unknown.is_empty() {
                    decoded.extra.insert(DIALECT, "function", Value::Object(unknown));
                }
                found = true;
            }
            "cache_control" => decoded.cache = Some(cache_control(value, at)?),
            _ => decoded.extra.insert(DIALECT, key, value.into()),
        }
    }
    match found {
        true => Ok(Tool::Function(decoded)),
        false => Err(at.field("function").missing(r#"an object such as {"name": "...", "parameters": {...}}"#)),
    }
}

/// Fills `tool` from a function's declaration and gives the fields it does not know.
fn decode_function(function: Json<'_>, at: At<'_>, tool: &mut FunctionTool) -> Result<Map<String, Value>> {
    let mut unknown = Map::new();
    for (key, value) in function.object(at)? {
        let at = at.field(&key);
        match &*key {
            "name" => tool.name = value.string(at)?,
            "description" => tool.description = Some(value.string(at)?),
            "parameters" if matches!(value, Json::Object(_)) => tool.parameters = Some(value.into()),
            "parameters" => return Err(at.wrong(&value, "a JSON Schema object")),
            "strict" => tool.strict = Some(value.boolean(at)?),
            "cache_control" => tool.cache = Some(cache_control(value, at)?),
            _ => drop(unknown.insert(key.into_owned(), value.into())),
        }
    }
    match tool.name.is_empty() {
        true => Err(at.field("name").missing("the function's name")),
        false => Ok(unknown),
    }
}

/// Where Google's compatible endpoint keeps the signature of a call; it is sent back as it came.
pub(super) const EXTRA_CONTENT: &str = "extra_content";

/// A call's `extra_content` as its signature, if it holds one.
pub(super) fn signature(extra: &Value) -> Option<Signature> {
    let signed = extra.pointer("/google/thought_signature").is_some_and(Value::is_string);
    signed.then(|| Signature { dialect: DIALECT, data: extra.to_string() })
}

/// The `extra_content` that is this signature. Parsed again because callers returned it: nothing of theirs is sent as raw JSON.
pub(super) fn extra_content(signature: &Option<Signature>) -> Option<Value> {
    let signature = signature.as_ref().filter(|signature| signature.dialect == DIALECT)?;
    serde_json::from_str(&signature.data).ok().filter(Value::is_object)
}

/// Decodes `tool_choice`, and legacy `function_call`, which is a name without a `type`.
pub(super) fn decode_choice(choice: Json<'_>, at: At<'_>) -> Result<ToolChoice> {
    const WORDS: &str = "`auto`, `none`, `required`, or an object that names a function";
    if let Some(word) = choice.as_str() {
        return match word {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" | "any" => Ok(ToolChoice::Required),
            _ => Err(at.invalid(format_args!("is none of the words it may be; send {WORDS}"))),
        };
    }
    if !matches!(choice, Json::Object(_)) {
        return Err(at.wrong(&choice, WORDS));
    }
    match choice.get("type").and_then(Json::as_str) {
        Some(kind @ ("function" | "custom")) => {
            let at = at.field(kind);
            named(choice.get(kind), at).map(ToolChoice::Function)
        }
        Some("allowed_tools") => allowed(&choice, at.field("allowed_tools")),
        None if choice.get("name").is_some() => named(Some(&choice), at).map(ToolChoice::Function),
        _ => Err(at.field("type").invalid("is not known; send `function`, `custom` or `allowed_tools`")),
    }
}

fn allowed(choice: &Json<'_>, at: At<'_>) -> Result<ToolChoice> {
    // The guide shows the list at `allowed_tools.tools`, some clients send it beside `type`.
    let inner = choice.get("allowed_tools").unwrap_or(choice);
    let required = match inner.get("mode").and_then(Json::as_str) {
        Some("auto") | None => false,
        Some("required") => true,
        Some(_) => return Err(at.field("mode").invalid("is not known; send `auto` or `required`")),
    };
    let at = at.field("tools");
    let Some(Json::Array(tools)) = inner.get("tools") else {
        return Err(at.missing("the tools that may be called"));
    };
    let name = |(index, tool): (usize, &Json<'_>)| {
        let inner = tool.get("function").or_else(|| tool.get("custom"));
        named(inner, at.item(index).field("function"))
    };
    let names = tools.iter().enumerate().map(name).collect::<Result<_>>()?;
    Ok(ToolChoice::Allowed { names, required })
}

fn named(inner: Option<&Json<'_>>, at: At<'_>) -> Result<String> {
    let name = inner.and_then(|inner| inner.get("name")).and_then(Json::as_str);
    name.map(str::to_owned).ok_or_else(|| at.field("name").missing("the tool's name"))
}

/// Encodes `tools`, `tool_choice` and `parallel_tool_calls`.
pub(super) fn encode(request: &ChatRequest, object: &mut Object<'_>, encoding: &mut Encoding<'_, '_>) -> Result<()> {
    let quirks = encoding.target.quirks;
    let shortened = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) if !quirks.allowed_tools => Some(names),
        _ => None,
    };
    let offered = |tool: &&Tool| shortened.is_none_or(|names| names.iter().any(|name| Some(name.as_str()) == self::name(tool)));
    // OpenAI refuses a choice without tools.
    if !request.tools.iter().any(|tool| offered(&tool)) {
        return match &request.tool_choice {
            Some(ToolChoice::Required | ToolChoice::Function(_) | ToolChoice::Allowed { required: true, .. }) => {
                Err(At::Root.field("tool_choice").invalid("asks for a call of a tool that is not in `tools`"))
            }
            _ => Ok(()),
        };
    }
    let tools_at = At::Root.field("tools");
    let mut tools = object.array("tools");
    for (index, tool) in request.tools.iter().enumerate().filter(|(_, tool)| offered(tool)) {
        encode_tool(tool, tools_at.item(index), &mut tools, encoding)?;
    }
    drop(tools);
    if shortened.is_some() {
        encoding.approximated(At::Root.field("tool_choice"), "only the allowed tools are sent");
    }
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => object.field("tool_choice", "auto"),
        Some(ToolChoice::None) => object.field("tool_choice", "none"),
        Some(ToolChoice::Required) => object.field("tool_choice", required_word(encoding)),
        Some(ToolChoice::Function(name)) => encode_name(&mut object.object("tool_choice"), name, &request.tools),
        Some(ToolChoice::Allowed { names, required }) if quirks.allowed_tools => {
            let mut choice = object.object("tool_choice");
            choice.field("type", "allowed_tools");
            let mut inner = choice.object("allowed_tools");
            inner.field("mode", if *required { "required" } else { "auto" });
            let mut list = inner.array("tools");
            names.iter().for_each(|name| encode_name(&mut list.object(), name, &request.tools));
        }
        Some(ToolChoice::Allowed { required: true, .. }) => object.field("tool_choice", required_word(encoding)),
        Some(ToolChoice::Allowed { .. }) => object.field("tool_choice", "auto"),
    }
    match request.parallel_tool_calls {
        Some(parallel) if !quirks.no_parallel_tool_calls => object.field("parallel_tool_calls", &parallel),
        Some(false) => encoding.dropped(At::Root.field("parallel_tool_calls"), "the provider does not take it"),
        _ => {}
    }
    Ok(())
}

fn required_word(encoding: &Encoding<'_, '_>) -> &'static str {
    if encoding.target.quirks.tool_choice_any { "any" } else { "required" }
}

/// A tool's name, where it has one here.
fn name(tool: &Tool) -> Option<&str> {
    match tool {
        Tool::Function(tool) => Some(&tool.name),
        Tool::Hosted(tool) => tool.value.get(&tool.kind)?.get("name")?.as_str(),
    }
}

fn encode_name(object: &mut Object<'_>, name: &str, tools: &[Tool]) {
    let custom = tools
        .iter()
        .any(|tool| matches!(tool, Tool::Hosted(hosted) if hosted.kind == "custom") && self::name(tool) == Some(name));
    let kind = if custom { "custom" } else { "function" };
    object.field("type", kind);
    object.object(kind).field("name", name);
}

fn encode_tool(tool: &Tool, at: At<'_>, tools: &mut Array<'_>, encoding: &mut Encoding<'_, '_>) -> Result<()> {
    let tool = match tool {
        Tool::Function(tool) => tool,
        Tool::Hosted(hosted) if hosted.dialect == DIALECT => {
            tools.item(&hosted.value);
            return Ok(());
        }
        Tool::Hosted(hosted) => {
            return Err(
                encoding.refuse(at, format_args!("is `{}`, a tool that only {} runs", hosted.kind, hosted.dialect.name()))
            );
        }
    };
    let mut object = tools.object();
    object.field("type", "function");
    let mut function = object.object("function");
    function.field("name", &tool.name);
    function.some("description", &tool.description);
    function.some("parameters", &tool.parameters);
    match tool.strict {
        Some(true) if encoding.target.quirks.no_strict_tools => {
            encoding.dropped(at.field("strict"), "the provider does not take it")
        }
        Some(_) if encoding.target.quirks.no_strict_tools => {}
        strict => function.some("strict", &strict),
    }
    if let Some(Value::Object(unknown)) = tool.extra.field(DIALECT, "function") {
        unknown.iter().for_each(|(key, value)| function.field(key, value));
    }
    drop(function);
    encoding.cache(&mut object, &tool.cache, &tool.extra);
    encoding.extra(&mut object, &tool.extra, at, &["function"]);
    Ok(())
}
