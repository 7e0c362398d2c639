//! Which tools the demo model calls.
//!
//! | `tool_choice` | it calls |
//! |---|---|
//! | none | nothing |
//! | a named function | that one |
//! | required | the tools that the user's text asks for; if none, the first |
//! | auto, or absent | the tools that the user's text asks for |
//!
//! The text asks for a tool when it holds one of the words *call*, *use*, *using*, *invoke* or *run*,
//! and the tool's name (`get_weather`) or a word of the name before "tool" ("the weather tool"). Each
//! mention is a call, in the order of the text, unless parallel calls are forbidden: then the first.
//! A call takes the quoted words that follow its mention; a lone call takes all of them.

use super::{quoted, schema};
use crate::chat::{ChatRequest, FunctionTool, Tool, ToolChoice};
use crate::order;

const MAX_CALLS: usize = 16;
/// No protocol allows more tools, or longer names, than these.
const MAX_TOOLS: usize = 1024;
const MAX_NAME: usize = 256;

/// A call to make.
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// The calls that `request` asks for, `text` being the user's last words.
pub(super) fn wanted(request: &ChatRequest, text: &str, id: &str, choice: u32) -> Vec<Call> {
    let (tools, required) = allowed(request);
    let mut mentions = mentions(&tools, text);
    if mentions.is_empty() && required {
        mentions.extend(tools.first().map(|tool| (0, *tool)));
    }
    if request.parallel_tool_calls == Some(false) {
        mentions.truncate(1);
    }
    let call = |(index, (at, tool)): (usize, &(usize, &FunctionTool))| {
        let words = match mentions.get(index + 1) {
            Some((next, _)) => quoted(&text[*at..*next]),
            None if index > 0 => quoted(&text[*at..]),
            None => quoted(text),
        };
        let arguments =
            tool.parameters.as_ref().map_or_else(|| "{}".into(), |parameters| schema::example(parameters, &words).to_string());
        Call { id: call_id(id, choice, index), name: tool.name.clone(), arguments }
    };
    mentions.iter().enumerate().map(call).collect()
}

/// The tools that may be called, and whether one must be.
fn allowed(request: &ChatRequest) -> (Vec<&FunctionTool>, bool) {
    let functions = request.tools.iter().filter_map(|tool| match tool {
        Tool::Function(function) if function.name.len() <= MAX_NAME => Some(function),
        Tool::Function(_) | Tool::Hosted(_) => None,
    });
    let functions = functions.take(MAX_TOOLS);
    match &request.tool_choice {
        None | Some(ToolChoice::Auto) => (functions.collect(), false),
        Some(ToolChoice::None) => (Vec::new(), false),
        Some(ToolChoice::Required) => (functions.collect(), true),
        Some(ToolChoice::Function(name)) => (functions.filter(|function| function.name == *name).take(1).collect(), true),
        Some(ToolChoice::Allowed { names, required }) => {
            let names = &names[..names.len().min(MAX_TOOLS)];
            (functions.filter(|function| names.contains(&function.name)).collect(), *required)
        }
    }
}

/// Where the text asks for which tools, in its order.
fn mentions<'a>(tools: &[&'a FunctionTool], text: &str) -> Vec<(usize, &'a FunctionTool)> {
    // ASCII only, so that places in the lowered text are places in the text.
    let text = text.to_ascii_lowercase();
    if !["call", "use", "using", "invoke", "run"].iter().any(|verb| places(&text, verb).next().is_some()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for tool in tools {
        let name = tool.name.to_ascii_lowercase();
        found.extend(places(&text, &name).take(MAX_CALLS).map(|at| (at, *tool)));
        if !found.iter().any(|(_, other)| std::ptr::eq(*other, *tool)) {
            let parts = name.split(['_', '-', '.']).filter(|part| part.len() > 2);
            found.extend(parts.filter_map(|part| places(&text, &format!("{part} tool")).next()).map(|at| (at, *tool)).take(1));
        }
    }
    order::sort_by_key(&mut found, |(at, _)| *at);
    found.truncate(MAX_CALLS);
    found
}

/// Where `word` stands in `text` as a whole word.
fn places<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let joins = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(if word.is_empty() { "\0" } else { word }).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[*at + word.len()..].chars().next();
        !before.is_some_and(joins) && !after.is_some_and(joins)
    })
}

/// An id that no other response has, in the letters and the length (40) that every protocol takes.
fn call_id(response: &str, choice: u32, index: usize) -> String {
    let letters: Vec<char> = response.chars().filter(char::is_ascii_alphanumeric).collect();
    let tail: String = letters[letters.len().saturating_sub(26)..].iter().collect();
    format!("call_{tail}_{choice}_{index}")
}
