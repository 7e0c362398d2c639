//! A request's tools, and the choice among them.
//!
//! | canonical | here |
//! |---|---|
//! | a function without parameters | an empty object schema |
//! | parameters without `type: object` | repaired |
//! | `strict`, for a model that does not know it | left out, with a warning |
//! | a hosted tool of another dialect | `Unsupported` |
//! | a choice among some tools | only those are sent |
//! | a forced call, for a model that cannot be forced | `auto` and an instruction, with a warning |
//! | no tools, but calls in the conversation | the called names are declared, with `tool_choice: none` |

use std::borrow::Cow;

use serde_json::{Value, json};

use super::super::ME;
use super::super::generation::{Forcing, Generation};
use super::super::wire::{self, Block, Cache, Fields};
use super::conversation::{Conversation, foreign};
use super::schema;
use crate::chat::{ChatRequest, FunctionTool, Tool, ToolChoice, WarningCode, Warnings};
use crate::dialect::Target;
use crate::error::{Error, Result};

/// Encoded tools and choice.
pub(super) struct Tools<'a> {
    pub(super) tools: Vec<wire::Tool<'a>>,
    pub(super) choice: Option<wire::ToolChoice<'a>>,
    /// Whether the choice forces a call.
    pub(super) forced: bool,
}

/// Encodes the tools of `request`. May append an instruction to `conversation.system`.
pub(super) fn encode<'a>(
    request: &'a ChatRequest,
    conversation: &mut Conversation<'a>,
    target: Target<'_>,
    warnings: &mut Warnings,
) -> Result<Tools<'a>> {
    let generation = Generation::of(target.model);
    let only = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, required }) if !(*required && names.len() == 1) => {
            warnings.push(WarningCode::Approximated, "tool_choice", "only the allowed tools are sent");
            Some(names)
        }
        _ => None,
    };
    let mut tools = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function(function) if only.is_some_and(|only| !only.contains(&function.name)) => {}
            Tool::Function(function) => tools.push(self::function(function, index, &generation, target, warnings)),
            Tool::Hosted(hosted) if hosted.dialect == ME => tools.push(wire::Tool::Hosted(&hosted.value)),
            Tool::Hosted(hosted) => {
                let message = format!(
                    "The tool `{}` runs at a provider that speaks {}; `{}` cannot run it.",
                    hosted.kind,
                    hosted.dialect.name(),
                    target.provider
                );
                return Err(Error::unsupported(format!("tools[{index}]"), message));
            }
        }
    }
    if tools.is_empty() {
        return Ok(declared(conversation, warnings));
    }
    let mut choice = choice(request);
    let mut forced = matches!(choice.as_ref().map(|choice| choice.kind), Some("any" | "tool"));
    if let Some(choice) = choice.as_mut().filter(|_| forced && generation.forcing == Forcing::No) {
        let instruction = match choice.name.take() {
            Some(name) => format!("Answer by calling the tool `{name}`."),
            None => "Answer by calling one of the tools.".to_owned(),
        };
        conversation.system.push(Block::text(instruction));
        choice.kind = "auto";
        forced = false;
        warnings.push(WarningCode::Approximated, "tool_choice", "this model cannot be forced; an instruction asks for the call");
    }
    Ok(Tools { tools, choice, forced })
}

/// The API wants a declaration of every tool that the conversation calls.
fn declared<'a>(conversation: &Conversation<'a>, warnings: &mut Warnings) -> Tools<'a> {
    let tools: Vec<_> = conversation
        .called
        .iter()
        .map(|name| wire::Tool::Function {
            name,
            description: None,
            input_schema: Cow::Owned(json!({ "type": "object" })),
            strict: None,
            cache_control: None,
            extra: None,
        })
        .collect();
    let choice = (!tools.is_empty()).then(|| {
        warnings.push(WarningCode::Filled, "tools", "the conversation calls tools, so they must be declared");
        wire::ToolChoice { kind: "none", name: None, disable_parallel_tool_use: None }
    });
    Tools { tools, choice, forced: false }
}

fn function<'a>(
    tool: &'a FunctionTool,
    index: usize,
    generation: &Generation,
    target: Target<'_>,
    warnings: &mut Warnings,
) -> wire::Tool<'a> {
    foreign(&tool.extra, warnings, || format!("tools[{index}]"));
    let strict = match tool.strict {
        Some(true) if !generation.schemas || target.quirks.no_strict_tools => {
            warnings.dropped(format!("tools[{index}].strict"), "not known to this model");
            None
        }
        Some(strict) if generation.schemas && !target.quirks.no_strict_tools => Some(strict),
        _ => None,
    };
    let mut input_schema = match &tool.parameters {
        None => Cow::Owned(json!({ "type": "object", "properties": {} })),
        Some(parameters) => object_schema(parameters),
    };
    if strict == Some(true)
        && let Some((tightened, lost)) = schema::supported(&input_schema)
    {
        input_schema = Cow::Owned(tightened);
        if lost {
            let why = "some schema constraints became descriptions";
            warnings.push(WarningCode::Approximated, format!("tools[{index}].parameters"), why);
        }
    }
    wire::Tool::Function {
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        input_schema,
        strict,
        cache_control: tool.cache.as_ref().map(Cache),
        extra: (!tool.extra.is_empty()).then(|| Fields::of(&tool.extra)),
    }
}

/// The schema with `type: object`, which the API insists on.
fn object_schema(parameters: &Value) -> Cow<'_, Value> {
    match parameters {
        Value::Object(schema) if schema.get("type").and_then(Value::as_str) == Some("object") => Cow::Borrowed(parameters),
        Value::Object(schema) => {
            let mut schema = schema.clone();
            schema.insert("type".into(), "object".into());
            Cow::Owned(Value::Object(schema))
        }
        _ => Cow::Owned(json!({ "type": "object", "properties": {} })),
    }
}

fn choice(request: &ChatRequest) -> Option<wire::ToolChoice<'_>> {
    let (kind, name) = match &request.tool_choice {
        None if request.parallel_tool_calls == Some(false) => ("auto", None),
        None => return None,
        Some(ToolChoice::Auto) => ("auto", None),
        Some(ToolChoice::None) => ("none", None),
        Some(ToolChoice::Required) => ("any", None),
        Some(ToolChoice::Function(name)) => ("tool", Some(name.as_str())),
        Some(ToolChoice::Allowed { names, required: true }) if names.len() == 1 => ("tool", Some(names[0].as_str())),
        Some(ToolChoice::Allowed { required: true, .. }) => ("any", None),
        Some(ToolChoice::Allowed { required: false, .. }) => ("auto", None),
    };
    let disable_parallel_tool_use = request.parallel_tool_calls.filter(|_| kind != "none").map(|parallel| !parallel);
    Some(wire::ToolChoice { kind, name, disable_parallel_tool_use })
}
